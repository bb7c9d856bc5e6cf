package ubl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/daybook-ledger/daybook/domain"
)

// The bounds of a file.
const (
	// MaxSize is that of a whole file, in bytes, attachments included.
	MaxSize = 16 << 20
	// maxDepth is far beyond what UBL without sub-lines needs, which is 10.
	maxDepth = 32
	// maxElements allows 10,000 lines of 40 elements each.
	maxElements = 400_000
	// maxAttributes is that of one element, maxTag that of what stands between
	// its angle brackets, in bytes: the XML reader itself has no bounds.
	maxAttributes = 64
	maxTag        = 64 << 10
)

const (
	nsInvoice    = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
	nsCreditNote = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
	nsAggregate  = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
	nsBasic      = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
	nsExtension  = "urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2"
)

// node is an element. Its name has the prefix that UBL's own texts give it,
// whatever the file calls the namespace: cac:Party, cbc:ID; the root has none.
type node struct {
	name string
	// text is that of a cbc element, without the white space around it.
	text string
	// The attributes that count.
	currency, unit, scheme string
	children               []*node
}

// readTree reads a file into its root element. Nothing outside the file is ever
// looked at.
func readTree(data []byte) (*node, error) {
	if len(data) > MaxSize {
		return nil, domain.Refuse(CodeTooLarge, "the file has more than %d MiB", MaxSize>>20)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, domain.Refuse(CodeUnsupportedEncoding, "the file is in UTF-16").WithHint("convert it to UTF-8 first")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return nil, domain.Refuse(CodeInvalidUTF8, "the file is not valid UTF-8")
	}
	if hasLongTag(data) {
		return nil, domain.Refuse(CodeTooLarge, "a tag has more than %d KiB", maxTag>>10)
	}
	decoder := xml.NewDecoder(bytes.NewReader(data))
	decoder.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, domain.Refuse(CodeUnsupportedEncoding, "the file says that it is in %.40q", charset).
			WithHint("convert it to UTF-8 first")
	}
	t := &treeReader{decoder: decoder}
	if err := t.read(); err != nil {
		return nil, err
	}
	return t.root, nil
}

// hasLongTag looks for tags before any is read. What only looks like one, within
// a comment, counts as well.
func hasLongTag(data []byte) bool {
	for {
		begin := bytes.IndexByte(data, '<')
		if begin < 0 {
			return false
		}
		data = data[begin+1:]
		if len(data) == 0 || data[0] == '!' || data[0] == '?' {
			continue
		}
		if end := bytes.IndexAny(data[:min(len(data), maxTag)], "<>"); end < 0 && len(data) >= maxTag {
			return true
		}
	}
}

type treeReader struct {
	decoder  *xml.Decoder
	root     *node
	open     []*node
	elements int
	// skipping is the depth of the extensions that are being skipped, 0 for none.
	skipping int
	text     strings.Builder
}

func (t *treeReader) read() error {
	for {
		token, err := t.decoder.Token()
		if errors.Is(err, io.EOF) {
			if t.root == nil {
				return domain.Refuse(CodeMalformedXML, "the file has no element")
			}
			return nil
		}
		if err != nil {
			return xmlError(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			err = t.start(token)
		case xml.EndElement:
			err = t.end()
		case xml.CharData:
			err = t.chars(token)
		case xml.Directive:
			err = domain.Refuse(CodeDTD, "the file has a document type declaration").
				WithHint("invoices need none; ask the sender for the document without it")
		}
		if err != nil {
			return err
		}
	}
}

// xmlError gives what the decoder says a code.
func xmlError(err error) error {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) && strings.HasPrefix(syntax.Msg, "invalid character entity") {
		return domain.Refuse(CodeEntity, "line %d: the file refers to an entity that XML does not define", syntax.Line)
	}
	return domain.Refuse(CodeMalformedXML, "the file is not well-formed: %.200s", err.Error())
}

func (t *treeReader) start(e xml.StartElement) error {
	if t.elements++; t.elements > maxElements {
		return domain.Refuse(CodeTooLarge, "the file has more than %d elements", maxElements)
	}
	depth := len(t.open) + 1
	if depth > maxDepth {
		return domain.Refuse(CodeTooDeep, "elements are nested more than %d deep", maxDepth)
	}
	n := &node{}
	if err := n.attributes(e); err != nil {
		return err
	}
	var err error
	switch {
	case t.root == nil:
		n.name, err = rootName(e.Name)
		t.root = n
	case depth == 1:
		err = domain.Refuse(CodeMalformedXML, "the file has several documents")
	case t.skipping > 0:
	case e.Name.Space == nsExtension && e.Name.Local == "UBLExtensions" && depth == 2:
		t.skipping = depth
	default:
		err = t.attach(n, e.Name)
	}
	t.open = append(t.open, n)
	t.text.Reset()
	return err
}

func rootName(name xml.Name) (string, error) {
	switch {
	case name.Space == nsInvoice && name.Local == "Invoice", name.Space == nsCreditNote && name.Local == "CreditNote":
		return name.Local, nil
	case name.Local == "Invoice" || name.Local == "CreditNote":
		return "", domain.Refuse(CodeWrongNamespace, "the %s is in the namespace %.100q, not in that of UBL 2", name.Local, name.Space)
	}
	return "", domain.Refuse(CodeNotUBL, "the document is %.60q, neither an Invoice nor a CreditNote of UBL", name.Local)
}

func (t *treeReader) attach(n *node, name xml.Name) error {
	parent := t.open[len(t.open)-1]
	switch name.Space {
	case nsAggregate:
		n.name = "cac:" + name.Local
	case nsBasic:
		n.name = "cbc:" + name.Local
	default:
		return domain.Refuse(CodeWrongNamespace, "the element %.60s is in the namespace %.100q, which is none of UBL's", name.Local, name.Space)
	}
	if parent.isBasic() {
		return domain.Refuse(CodeMalformedUBL, "the element %.60s has an element within it, and not a value alone", parent.name)
	}
	parent.children = append(parent.children, n)
	return nil
}

func (n *node) isBasic() bool { return strings.HasPrefix(n.name, "cbc:") }

// attributes keeps those that count. That they are no others twice is for XML
// to say, and its reader does not.
func (n *node) attributes(e xml.StartElement) error {
	if len(e.Attr) > maxAttributes {
		return domain.Refuse(CodeTooLarge, "an element has more than %d attributes", maxAttributes)
	}
	for i, a := range e.Attr {
		for _, other := range e.Attr[:i] {
			if other.Name == a.Name {
				return domain.Refuse(CodeMalformedXML, "the element %.60s has the attribute %.60s twice", e.Name.Local, a.Name.Local)
			}
		}
		if a.Name.Space != "" {
			continue
		}
		switch a.Name.Local {
		case "currencyID":
			n.currency = strings.TrimSpace(a.Value)
		case "unitCode":
			n.unit = strings.TrimSpace(a.Value)
		case "schemeID":
			n.scheme = strings.TrimSpace(a.Value)
		}
	}
	return nil
}

func (t *treeReader) chars(text xml.CharData) error {
	if t.skipping > 0 || len(bytes.TrimSpace(text)) == 0 && (len(t.open) == 0 || !t.open[len(t.open)-1].isBasic()) {
		return nil
	}
	if len(t.open) == 0 {
		return domain.Refuse(CodeMalformedXML, "there is text outside of the document")
	}
	n := t.open[len(t.open)-1]
	if !n.isBasic() {
		return domain.Refuse(CodeMalformedUBL, "the element %.60s has a text within it", n.name)
	}
	if n.name != "cbc:EmbeddedDocumentBinaryObject" { // attachments are not kept
		t.text.Write(text)
	}
	return nil
}

func (t *treeReader) end() error {
	n := t.open[len(t.open)-1]
	if t.skipping == len(t.open) {
		t.skipping = 0
	}
	t.open = t.open[:len(t.open)-1]
	if n.isBasic() {
		n.text = strings.TrimSpace(t.text.String())
		t.text.Reset()
	}
	return nil
}
