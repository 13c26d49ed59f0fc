<?php
// Sends a signed delivery as a PHP program does: php send.php URL SECRET HOW, the payload on standard input.
[, $url, $secret, $how] = $argv;
$delivery = [
    'id' => sprintf('%04x%04x-0000-4000-8000-%012x', mt_rand(0, 65535), mt_rand(0, 65535), mt_rand()),
    'account_id' => 1,
    'event_name' => 'workshop_order.updated',
    'event_timestamp' => microtime(true),
    'payload' => json_decode(stream_get_contents(STDIN)),
];
$body = json_encode($delivery, $how === 'unescaped' ? JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES : 0);
$signature = match ($how) {
    'base64' => base64_encode(hash_hmac('sha256', $body, $secret, true)),
    'prefix' => 'sha256=' . hash_hmac('sha256', $body, $secret),
    'forged' => hash_hmac('sha256', $body, $secret . 'x'),
    default => hash_hmac('sha256', $body, $secret),
};
$options = ['http' => [
    'method' => 'POST',
    'content' => $body,
    'ignore_errors' => true,
    'header' => [
        'Content-Type: application/json',
        'X-CycleSoftware-Delivery: ' . $delivery['id'],
        'X-CycleSoftware-Event: workshop_order.updated',
        'X-CycleSoftware-Signature: ' . $signature,
    ],
]];
file_get_contents($url, false, stream_context_create($options));
echo explode(' ', $http_response_header[0])[1], "\n";
