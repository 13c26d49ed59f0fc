<?php
// A client of another language: reads all orders page by page, changes one, and meets an error.
// Arguments: the base URL. Prints JSON.

declare(strict_types=1);

function call(string $method, string $url, ?array $body = null): array
{
    $context = stream_context_create(['http' => [
        'method' => $method,
        'header' => ['Authorization: Basic ' . base64_encode('user:pass'), 'Content-Type: application/json'],
        'content' => $body === null ? '' : json_encode($body),
        'ignore_errors' => true,
        'timeout' => 60,
    ]]);
    $answer = file_get_contents($url, false, $context);
    return [(int) explode(' ', $http_response_header[0])[1], json_decode($answer, true, 512, JSON_THROW_ON_ERROR)];
}

$base = $argv[1];
$orders = [];
$next = $base . '/api/v1/workshop/orders.json';
while ($next !== null) {
    [, $page] = call('GET', $next);
    $orders = array_merge($orders, $page['data']);
    $url = $page['pagination']['next_url'];
    // The server names another host: only its path and query count.
    $next = $url === null ? null : $base . parse_url($url, PHP_URL_PATH) . '?' . parse_url($url, PHP_URL_QUERY);
}
$first = $orders[0];
$path = sprintf('/api/v1/customers/%d/workshop-order/%d.json', $first['customer_id'], $first['workshop_order_id']);
[, $changed] = call('PUT', $base . $path, ['status_id' => 7]);
[$status, $refusal] = call('GET', $base . '/api/v1/customers/999999999.json');
echo json_encode([
    'orders' => count($orders),
    'status_id' => $changed['status_id'],
    'refusal' => $status,
    'error' => $refusal['error'],
]);
