// Command table prints the rows that the tests of survival have appended to a
// file, and the same in short for the documentation.
package main
