<?php
/**
 * The version that the site reports and that validate_service.sh looks for.
 */

declare(strict_types=1);

const DEMO_VERSION = '1.0.0';
