// Reads archives with Go's archive/zip, which trusts the central directory and checks it against
// the local headers. Every entry is written under a number; the names go to standard output in
// hexadecimal.
//
// go run reader.go OUT ARCHIVE...  writes OUT/<archive number>/file/<entry number>
package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	for i, archive := range os.Args[2:] {
		label := fmt.Sprintf("%d/file", i)
		if err := read(archive, filepath.Join(os.Args[1], label), label); err != nil {
			fmt.Fprintln(os.Stderr, archive, err)
			os.Exit(1)
		}
	}
}

func read(archive, out, label string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	zip, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer zip.Close()
	for n, entry := range zip.File {
		if err := extract(entry, filepath.Join(out, fmt.Sprint(n))); err != nil {
			return fmt.Errorf("%q: %w", entry.Name, err)
		}
		fmt.Printf("%s %d %x %o %d\n", label, n, entry.Name, entry.Mode().Perm(), entry.Modified.Unix())
	}
	return nil
}

func extract(entry *zip.File, to string) error {
	content, err := entry.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		return err
	}
	return file.Close()
}
