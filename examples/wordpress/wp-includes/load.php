<?php
/**
 * Loads a site: its settings, the hooks of its plugins, and its theme.
 */

declare(strict_types=1);

require_once __DIR__ . '/version.php';
require_once __DIR__ . '/template.php';

/**
 * @param array<string, string> $settings
 * @return array{root: string, settings: array<string, string>, hooks: array<string, list<callable>>}
 */
function demo_load_site(string $root, array $settings): array
{
    $hooks = [];
    $plugins = glob($root . '/wp-content/plugins/*/plugin.php') ?: [];
    sort($plugins);
    foreach ($plugins as $plugin) {
        // A plugin file returns its hooks, each by name.
        foreach (require $plugin as $name => $callback) {
            $hooks[$name][] = $callback;
        }
    }
    return ['root' => $root, 'settings' => $settings, 'hooks' => $hooks];
}

/** Passes a value through every callback of one hook, in plugin order. */
function demo_run_hook(array $site, string $name, string $value): string
{
    foreach ($site['hooks'][$name] ?? [] as $callback) {
        $value = $callback($value);
    }
    return $value;
}
