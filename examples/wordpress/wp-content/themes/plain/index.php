<main>
<?php if ($page === 'login'): ?>
<p>This site has no users.</p>
<?php else: ?>
<?= demo_run_hook($site, 'content', '<p>It works.</p>') . "\n" ?>
<?php endif ?>
</main>
