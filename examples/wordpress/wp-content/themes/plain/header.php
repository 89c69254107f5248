<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="generator" content="demo <?= demo_html(DEMO_VERSION) ?>">
<title><?= demo_html($site['settings']['title']) ?></title>
<link rel="stylesheet" href="/wp-includes/css/base.css">
<link rel="stylesheet" href="/wp-content/themes/plain/style.css">
<h1><?= demo_html($site['settings']['title']) ?></h1>
