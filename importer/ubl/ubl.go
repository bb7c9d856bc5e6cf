// Package ubl reads invoices and credit notes in UBL 2.1, as EN 16931 has them,
// checks their figures, and enters them into a book. docs/IMPORT.md is the
// description for those who use it.
//
// # Reading
//
// A file is data from somebody else. It is read whole, up to MaxSize, into a
// tree of bounded depth and size; document types, entities other than XML's own
// five, other encodings than UTF-8 and elements of foreign namespaces are
// refused, and nothing outside the file is looked at. Only the contents of
// ext:UBLExtensions are skipped. An element that EN 16931 allows once must not
// stand twice: which of the two counts is not for a reader to say. Elements of
// UBL beyond EN 16931 are ignored where they only inform, and refused by code
// where they change what the amounts mean.
//
// # Checking
//
// Document.Check computes the document by the rules of the book and compares
// the five totals, the amount of each line and the tax breakdown with what is
// stated, to the minor unit. Totals are computed for every document that can be
// read, those that are refused included.
//
// # Entering
//
// What is posted is always what was computed. A document is identified by
// supplier, number and date: all ids are derived from these, so that a second
// run enters nothing. Its reference in the book is its number; with the date
// where a document of another date bears the number already, and with the
// supplier in front where that is not the book's seller.
package ubl
