<?php
/**
 * Plugin Name: Notice
 * Description: Puts the text of notice.txt above the content, when there is any.
 */

declare(strict_types=1);

return [
    'content' => static function (string $content): string {
        $text = trim((string) file_get_contents(__DIR__ . '/notice.txt'));
        return $text === '' ? $content : '<p class="notice">' . demo_html($text) . "</p>\n" . $content;
    },
];
