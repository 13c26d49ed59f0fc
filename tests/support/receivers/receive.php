<?php
// A receiver for PHP's built-in server: verifies the signature and appends the event to a file.
$body = file_get_contents('php://input');
$expected = hash_hmac('sha256', $body, getenv('SECRET'));
if (!hash_equals($expected, $_SERVER['HTTP_X_CYCLESOFTWARE_SIGNATURE'] ?? '')) {
    http_response_code(401);
    exit;
}
$event = json_decode($body, true, 512, JSON_THROW_ON_ERROR);
file_put_contents(getenv('FOUND'), json_encode([
    'event_name' => $event['event_name'],
    'header' => $_SERVER['HTTP_X_CYCLESOFTWARE_EVENT'],
    'status_id' => $event['payload']['status_id'] ?? null,
    'customer' => $event['payload']['sales_order']['customer']['name'] ?? null,
]) . "\n", FILE_APPEND);
