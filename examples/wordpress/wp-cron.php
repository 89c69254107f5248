<?php
/**
 * Runs the work that is due: every plugin may hook `cron`. It runs on the command
 * line only, so that no visitor can start it.
 */

declare(strict_types=1);

if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit;
}

require __DIR__ . '/wp-config.php';
require __DIR__ . '/wp-includes/load.php';

$site = demo_load_site(__DIR__, $settings);
$done = demo_run_hook($site, 'cron', '');
echo $done === '' ? "nothing was due\n" : $done . "\n";
