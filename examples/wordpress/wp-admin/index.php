<?php
/**
 * The administration page shows the version and the plugins. It changes nothing,
 * and answers requests from the instance itself only.
 */

declare(strict_types=1);

require dirname(__DIR__) . '/wp-config.php';
require dirname(__DIR__) . '/wp-includes/load.php';

if (!in_array($_SERVER['REMOTE_ADDR'] ?? '', ['127.0.0.1', '::1'], true)) {
    http_response_code(403);
    exit;
}

$site = demo_load_site(dirname(__DIR__), $settings);
header('Content-Type: text/plain; charset=utf-8');
echo 'version ' . DEMO_VERSION . "\n";
echo 'hooks ' . implode(', ', array_keys($site['hooks'])) . "\n";
