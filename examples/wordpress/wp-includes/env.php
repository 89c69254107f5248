<?php
/**
 * Reads NAME=value lines. A new instance has no such file, which gives an empty list.
 */

declare(strict_types=1);

/** @return array<string, string> */
function demo_read_env(string $path): array
{
    $values = [];
    if (!is_readable($path)) {
        return $values;
    }
    foreach (file($path, FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES) ?: [] as $line) {
        if ($line[0] === '#' || !str_contains($line, '=')) {
            continue;
        }
        [$name, $value] = explode('=', $line, 2);
        $values[trim($name)] = trim($value);
    }
    return $values;
}
