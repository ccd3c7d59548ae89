<?php
// A shop whose state is in PHP's session. The save handler is chosen by the pool's configuration.

function answer(array $body, int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    header('X-App: ' . $_SERVER['APP_NAME']);
    echo json_encode($body);
    exit;
}

function require_login(): void
{
    if (!isset($_SESSION['user'])) {
        answer(['error' => 'no session'], 401);
    }
}

$request = $_SERVER['REQUEST_METHOD'] . ' ' . parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($request === 'GET /whoami') {
    answer(['server' => $_SERVER['APP_NAME']]);
}
if (!@session_start()) {
    answer(['error' => 'the session store is away'], 500);
}

switch ($request) {
    case 'POST /login':
        session_regenerate_id(true);
        $_SESSION = ['user' => $_POST['user'], 'cart' => []];
        answer(['user' => $_SESSION['user']]);
    case 'GET /code':
        require_login();
        $_SESSION['code'] = (string) random_int(1000, 9999);
        answer(['code' => $_SESSION['code']]);
    case 'POST /code':
        require_login();
        $right = isset($_SESSION['code']) && $_SESSION['code'] === $_POST['code'];
        unset($_SESSION['code']);
        answer($right ? ['right' => true] : ['error' => 'wrong code'], $right ? 200 : 403);
    case 'POST /cart':
        require_login();
        $_SESSION['cart'][] = $_POST['item'];
        answer(['count' => count($_SESSION['cart'])]);
    case 'GET /cart':
        require_login();
        answer(['user' => $_SESSION['user'], 'items' => $_SESSION['cart']]);
    default:
        answer(['error' => 'no such page'], 404);
}
