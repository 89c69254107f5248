<footer>Version <?= demo_html(DEMO_VERSION) ?></footer>
</html>
