<?php
/**
 * The front page: reads the settings, loads the plugins, and lets the theme print.
 */

declare(strict_types=1);

require __DIR__ . '/wp-config.php';
require __DIR__ . '/wp-includes/load.php';

$site = demo_load_site(__DIR__, $settings);
demo_render($site, 'front');
