<?php
/**
 * Functions for themes: escape text, and print a page between header and footer.
 */

declare(strict_types=1);

function demo_html(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

function demo_render(array $site, string $page): void
{
    $theme = $site['root'] . '/wp-content/themes/' . basename($site['settings']['theme']);
    if (!is_dir($theme)) {
        http_response_code(500);
        echo 'The theme ' . demo_html($site['settings']['theme']) . ' is not installed.';
        return;
    }
    header('Content-Type: text/html; charset=utf-8');
    require $theme . '/header.php';
    require $theme . '/index.php';
    require $theme . '/footer.php';
}
