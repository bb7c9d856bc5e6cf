// Package oracle compares the arithmetic of documents with that of gobl, which
// others wrote. It is a module of its own, so that gobl and what it needs are no
// dependency of the product.
//
// Compared are documents that mean the same to both:
//
//   - gobl has no price for several units (BT-149): lines have prices for one.
//   - gobl multiplies at the price's number of decimal places, and rounds to the
//     currency after that. Prices are given with as many places as price and
//     quantity have together, so that the product is exact, and rounded once.
//   - A percentage of a document's lines is of all lines to gobl, and of those at
//     one rate to EN 16931: the base is given.
//   - gobl groups tax by percentage alone, EN 16931 by category and percentage:
//     categories at 0 % are compared in sum.
//   - Without tax in the prices, gobl's rule "currency" is that of EN 16931: every
//     line is rounded, and the tax of a rate once. Every figure must agree.
//   - With tax in the prices, "currency" takes the tax out of each line, rounded by
//     itself, which BR-CO-17 excludes. "precise" takes it out of each line with two
//     decimal places more and rounds the sums. The total must agree, and so must
//     the tax of every rate, unless it lies so close to half a unit that what
//     "precise" cut off can decide: then it may be one unit off. Lines without
//     fractions of a unit are compared, as "precise" keeps those, and adds them up.
//
// gobl computes with floating point numbers, exact up to 2⁵³; so amounts are
// bounded.
package oracle
