<?php
/**
 * Tells visitors that this site has no login, no users and no database.
 */

declare(strict_types=1);

require __DIR__ . '/wp-config.php';
require __DIR__ . '/wp-includes/load.php';

http_response_code(403);
demo_render(demo_load_site(__DIR__, $settings), 'login');
