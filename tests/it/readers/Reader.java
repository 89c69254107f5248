// Reads archives as Java programs do: front to back with ZipInputStream, and through the central
// directory with ZipFile. Every entry is written under a number, so that no file system or locale
// has a say in its name; the names go to standard output in hexadecimal.
//
// java Reader.java OUT ARCHIVE...  writes OUT/<archive number>/{stream,file}/<entry number>

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

public class Reader {
    public static void main(String[] args) throws IOException {
        Path out = Path.of(args[0]);
        for (int i = 1; i < args.length; i++) {
            stream(Path.of(args[i]), out.resolve((i - 1) + "/stream"), (i - 1) + "/stream");
            file(Path.of(args[i]), out.resolve((i - 1) + "/file"), (i - 1) + "/file");
        }
    }

    static void stream(Path archive, Path out, String label) throws IOException {
        Files.createDirectories(out);
        try (InputStream bytes = new BufferedInputStream(Files.newInputStream(archive));
                ZipInputStream zip = new ZipInputStream(bytes)) {
            ZipEntry entry;
            for (int n = 0; (entry = zip.getNextEntry()) != null; n++) {
                Files.copy(zip, out.resolve(String.valueOf(n)));
                tell(label, n, entry);
            }
        }
    }

    static void file(Path archive, Path out, String label) throws IOException {
        Files.createDirectories(out);
        try (ZipFile zip = new ZipFile(archive.toFile())) {
            int n = 0;
            for (ZipEntry entry : Collections.list(zip.entries())) {
                try (InputStream content = zip.getInputStream(entry)) {
                    Files.copy(content, out.resolve(String.valueOf(n)));
                }
                tell(label, n, entry);
                n++;
            }
        }
    }

    static void tell(String label, int n, ZipEntry entry) {
        StringBuilder hex = new StringBuilder();
        for (byte b : entry.getName().getBytes(StandardCharsets.UTF_8)) {
            hex.append(String.format("%02x", b));
        }
        System.out.println(label + " " + n + " " + hex);
    }
}
