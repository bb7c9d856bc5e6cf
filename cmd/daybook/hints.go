package main

// Hints for errors that nothing better is known about.
const (
	hintUsage     = "daybook help says how it is used"
	hintCodes     = "docs/CLI.md says under Codes what this means"
	hintDebug     = "DAYBOOK_DEBUG=1 shows what goes on inside"
	hintOutput    = "see that the output can be written, and ask again; what was to be changed is changed"
	hintNoKeyFile = "the file is not there: bring it back from where a copy of it is kept, or say where it is with --key-file"
	hintReceipt   = "take the receipt as it was written, and the book that gave it"
)

const (
	hintLater  = "give a later --date"
	hintDivide = "divide it into several"
	hintExport = "have the system that wrote the file export it again"
	hintShow   = "daybook invoice show tells what is open, written off and relieved"
	hintFree   = "daybook payment show tells what is free, and where the rest went"
	hintKeys   = "take the list as daybook keys public wrote it"
	hintBundle = "take the bundle as daybook bundle create wrote it: one that was altered or cut off proves nothing"
	hintTaken  = "find what bears it with ext: and the reference, and give another"
)

// hints say what to do after refusals, and after what is wrong with proofs, whose
// package does not: it does not know how it is asked.
var hints = map[string]string{
	"invalid-drill":               "daybook backup drill enters what it finds",
	"already-issued":              "an issued invoice is corrected by a credit note: daybook credit issue",
	"ambiguous-exemption-reason":  "give each category one reason",
	"amount-overflow":             "divide the document, or look for a slip in a quantity or price",
	"before-allocation":           hintLater,
	"before-credit":               hintLater,
	"before-invoice":              hintLater,
	"before-use":                  hintLater,
	"before-write-off":            hintLater,
	"bundle-form":                 hintBundle,
	"bundle-proof":                hintBundle,
	"bundle-secret":               hintBundle,
	"checkpoint-form":             "take the file with the checkpoint as it was written, and for this book: daybook log export writes the newest checkpoint",
	"checkpoint-signature":        "it is of another book, or of a key that the list of keys lacks: daybook keys public gives the newest list",
	"command-too-large":           hintDivide,
	"control-character":           "take out what is no text, such as escapes; line breaks and tabs may stand in notes and terms only",
	"cosignature":                 "daybook witness prints the public key of a witness; a cosignature is taken as the witness gave it",
	"customer-mismatch":           "name documents and payments of one customer",
	"customer-name-missing":       "give the customer a name",
	"due-before-issue":            "give a later due date: daybook invoice edit --due",
	"entity":                      hintExport,
	"insufficient-credit":         hintFree,
	"invalid-amount":              "write it like 49.50, above zero, with no more decimal places than the currency has",
	"invalid-date":                "write year, month and day: 2026-01-31",
	"invalid-decimal":             "write digits and a point, like 49.50",
	"invalid-due":                 "give a date, such as 2026-01-31, or days after issue, such as +30",
	"invalid-month":               "write year and month: 2026-01",
	"invalid-rate":                "write category and percentage, such as S20, or Z where there is no tax",
	"invalid-width":               "--digits 5 writes 00001",
	"key-range":                   "a key signed it that does not count there: who repeats a command with its --command-id gets a new receipt, daybook log export writes a new checkpoint; daybook receipt check with the list of before tells what became of a receipt",
	"keys-form":                   hintKeys,
	"keys-history":                "it is of another book, or contradicts the list that you trust: ask the owner of the book, by a way that nobody who runs the server controls",
	"keys-signature":              hintKeys,
	"loss":                        "daybook restore --read-only --origin brings back the epoch that has them: enter again what is wanted",
	"malformed-ubl":               hintExport,
	"malformed-xml":               hintExport,
	"missing-exemption-reason":    "say why no tax is charged: --exemption 'AE=Reverse charge'",
	"mixed-currencies":            "write all amounts of a document in one currency",
	"negative-prepaid":            "write what was paid before issue as an amount above zero",
	"negative-total":              "what is owed to a customer is a credit note: daybook credit issue",
	"no-book":                     "make one with daybook init, or say where it is with --dir",
	"no-change":                   "nothing needs to be done",
	"no-lines":                    "give at least one --line",
	"no-value":                    "give lines whose sum is above zero",
	"not-a-draft":                 "daybook invoice issue gives an approved draft its number; daybook invoice edit makes it a draft again",
	"not-allocated":               hintFree,
	"not-approved":                "daybook invoice approve approves it",
	"not-on-credit-note":          "leave out the due date and the prepaid amount",
	"not-reversed":                "daybook payment list shows which payments were reversed",
	"not-ubl":                     hintExport,
	"nothing-free":                "daybook payment list --free lists what has money left",
	"nothing-open":                "daybook report open-items lists what is open",
	"nothing-to-relieve":          hintShow,
	"over-credited":               "daybook invoice show lists the credit notes that the invoice has already",
	"over-deducted":               "daybook invoice show of the deposit invoice tells what was deducted and credited",
	"over-written-off":            hintShow,
	"payment-reversed":            "enter money that came after all as a new payment: daybook payment receive",
	"principal-missing":           "say who gives the command: --principal",
	"reference-taken":             hintTaken,
	"rounding-amount-too-large":   "round to less than one whole unit of the currency",
	"seller-name-missing":         "give the business a name: --name",
	"text-too-long":               "shorten it, or put the rest into the document's note",
	"too-deep":                    hintExport,
	"too-large":                   hintDivide,
	"too-many-adjustments":        hintDivide,
	"too-many-exemptions":         "give each category one reason",
	"too-many-lines":              hintDivide,
	"unexpected-exemption-reason": "leave the reason out",
	"unknown-credit":              "daybook credit list lists them",
	"unknown-currency":            "give a code of ISO 4217, such as GBP",
	"unknown-customer":            "daybook customer list lists them",
	"unknown-invoice":             "daybook invoice list lists them",
	"unknown-payment":             "daybook payment list lists them",
	"unknown-principal":           "an owner of the book gives roles: daybook access grant",
	"unknown-series":              "daybook series list lists them",
	"witness-contradiction":       hintFork,
	"witness-unproven":            "open the book once with its key, as daybook customer list does and daybook status does not, or give a newer checkpoint with --expect; then verify again. A copy that is read only is verified with --offline",
	"wrong-namespace":             hintExport,
}
