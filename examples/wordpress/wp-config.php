<?php
/**
 * The settings. The revision holds no secrets: every instance has its own values in
 * /etc/wordpress/env, and keys that the first installation makes.
 */

declare(strict_types=1);

require_once __DIR__ . '/wp-includes/env.php';

$env = demo_read_env('/etc/wordpress/env') + getenv();

$settings = [
    'title' => $env['WORDPRESS_SITE_TITLE'] ?? 'A small site',
    'theme' => $env['WORDPRESS_THEME'] ?? 'plain',
    'db_host' => $env['WORDPRESS_DB_HOST'] ?? 'localhost',
    'db_name' => $env['WORDPRESS_DB_NAME'] ?? 'wordpress',
    'db_user' => $env['WORDPRESS_DB_USER'] ?? 'wordpress',
    'db_password' => $env['WORDPRESS_DB_PASSWORD'] ?? '',
    'keys_file' => $env['WORDPRESS_KEYS_FILE'] ?? '/etc/wordpress/keys',
];
