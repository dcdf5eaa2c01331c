package main

import (
	"fmt"
	"os"

	"gracevisor/test/siege"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: table FILE")
		os.Exit(2)
	}
	table, err := siege.ReadTable(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%s\n%s\n%s", table, table.Short(), table.Wide())
}
