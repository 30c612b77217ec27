# SPDX-License-Identifier: BSD-2-Clause
# Proves the HTTP layer: what it accepts, what it refuses with which code, in which order the checks come, and that
# nothing that could be read in two ways is read at all.
use Tidings;
use Tidings::Shape;
use Tidings::Util qw(spew);
use JSON::PP ();

my $docroot = Tidings::dir() . '/web';
mkdir $docroot;
mkdir "$docroot/sub";
spew("$docroot/index.html", "<!doctype html><title>hello</title>\n");
spew("$docroot/sub/app.js", "console.log(1)\n");
spew(Tidings::dir() . '/outside.txt', "not for the web\n");
symlink Tidings::dir() . '/outside.txt', "$docroot/link.txt";

my $t = Tidings->start(workers => 2, conf => {http => {cors_origins => ['https://chat.example'], docroot => $docroot}});
$t->befriend('alice', 'bob');
my $token = $t->token('alice');
my $ok_path = '/messages/unread-count';

sub http { return $t->http('alice', @_) }

# The whole answer to these bytes, which has to be the last one on the connection.
sub refuses_bytes {
	my ($name, $bytes, $status, $code) = @_;
	subtest $name => sub {
		my $h = $t->http('alice', keep_closed => 1);
		$h->raw($bytes);
		my $r = eval { $h->response } or return fail("an answer: $@");
		is $r->status, $status, 'status';
		is $r->code, $code, 'code';
		is lc($r->header('connection') // ''), 'close', 'says that it closes';
		ok length($r->header('x-request-id') // ''), 'X-Request-Id';
		ok $h->is_closed, 'closes, and answers nothing more' or diag($h->{in});
	};
}

subtest 'keep-alive, close, HEAD' => sub {
	my $h = http();
	for (1 .. 3) {
		my $r = $h->get($ok_path);
		is $r->status, 200, "request $_ on one connection";
		like $r->header('content-type'), qr{^application/json}, 'JSON';
	}
	my $get = $h->get($ok_path);
	my $head = $h->request('HEAD', $ok_path);
	is $head->status, 200, 'HEAD';
	is $head->header('content-length'), $get->header('content-length'), 'HEAD tells the length';
	is $h->get($ok_path)->status, 200, 'and sends no body: the next answer is in its place';
	my $r = $h->get($ok_path, headers => [Connection => 'close']);
	is lc $r->header('connection'), 'close', 'Connection: close';
	$h = $t->http('alice', keep_closed => 1);
	$h->send_request('GET', $ok_path, headers => [Connection => 'close']);
	is $h->response->status, 200, 'answered';
	ok $h->is_closed, 'and closed';
};

subtest 'pipelining' => sub {
	my $h = http();
	ok $h->raw(join '', map { $h->render('GET', $ok_path, headers => ['X-Request-Id' => "p$_"]) } 1 .. 50), 'fifty at once';
	is_deeply [map { $h->response->header('x-request-id') } 1 .. 50], [map { "p$_" } 1 .. 50], 'fifty answers, in order';
	$h->raw(join '', $h->render('POST', '/messages/send', json => text_to('bob', 'one')), $h->render('GET', '/nope'),
		$h->render('POST', '/messages/send', json => text_to('bob', 'two')));
	is_deeply [map { $h->response->status } 1 .. 3], [201, 404, 201], 'bodies are told from the requests behind them';
};

subtest 'in pieces' => sub {
	my $h = http();
	$h->raw($_) for split //, $h->render('POST', '/messages/send', json => text_to('bob', 'in pieces'));
	my $r = $h->response;
	is $r->status, 201, 'byte by byte' or diag($r->body);
	is $r->json->{content}, 'in pieces', 'whole';
};

subtest 'chunked bodies' => sub {
	my $h = http();
	my @chunked = ('Transfer-Encoding' => 'chunked');
	my $body = JSON::PP::encode_json(text_to('bob', 'chunked'));
	my $chunks = join '', map { sprintf "%x;ext=1\r\n%s\r\n", length, $_ } $body =~ /(.{1,7})/gs;
	is $h->post('/messages/send', undef, body => "${chunks}0\r\n\r\n", headers => [@chunked])->status, 201, 'many small chunks';
	is $h->post('/messages/send', undef, body => "${chunks}0\r\nX-Trailer: 1\r\n\r\n", headers => [@chunked])->status, 201, 'with a trailer';
	is $h->get($ok_path)->status, 200, 'and the connection goes on';
	my $big = sprintf("%x\r\n%s\r\n", 40000, 'x' x 40000) x 2 . "0\r\n\r\n";
	my $r = $h->post('/messages/send', undef, body => $big, headers => [@chunked]);
	is $r->status, 413, 'over http.max_body';
	is $r->code, 'payload_too_large', 'its code';
};

subtest 'Expect' => sub {
	my $h = http();
	my $body = JSON::PP::encode_json(text_to('bob', 'expected'));
	my @length = ('Content-Length' => length $body, 'Content-Type' => 'application/json', Expect => '100-continue');
	$h->send_request('POST', '/messages/send', headers => \@length);
	is $h->response->status, 100, '100 Continue';
	$h->raw($body);
	is $h->response->status, 201, 'and then the answer';
	$h->send_request('POST', '/messages/send', token => undef, headers => \@length);
	is $h->response->status, 401, 'a refusal comes instead of 100';
	refuses_bytes('a body announced too big',
		"POST /messages/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nContent-Type: application/json\r\nContent-Length: 70000\r\nExpect: 100-continue\r\n\r\n",
		413, 'payload_too_large');
	refuses_bytes('an expectation of something else', "GET $ok_path HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\n\r\n", 417, 'expectation_failed');
};

subtest 'what could be read in two ways' => sub {
	my $post = "POST /messages/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nContent-Type: application/json\r\n";
	my $get = "GET $ok_path HTTP/1.1\r\nAuthorization: Bearer $token\r\n";
	my $smuggled = "GET /messages/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n\r\n";
	my @bad = (
		['both Content-Length and Transfer-Encoding', "${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
		['and the other way round', "${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"],
		['two lengths', "${post}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}"],
		['the same length twice', "${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"],
		['a list of lengths', "${post}Content-Length: 2, 2\r\n\r\n{}"],
		['a length with a sign', "${post}Content-Length: +2\r\n\r\n{}"],
		['a negative length', "${post}Content-Length: -2\r\n\r\n{}"],
		['a hexadecimal length', "${post}Content-Length: 0x2\r\n\r\n{}"],
		['a length over 64 bits', "${post}Content-Length: 18446744073709551618\r\n\r\n{}"],
		['an empty length', "${post}Content-Length: \r\n\r\n"],
		['white space before a colon', "${post}Content-Length : 2\r\n\r\n{}"],
		['a folded header', "${post}X-A: 1\r\n b\r\nContent-Length: 2\r\n\r\n{}"],
		['a header without a name', "${get}Host: x\r\n: y\r\n\r\n"],
		['a header without a colon', "${get}Host: x\r\nnonsense\r\n\r\n"],
		['NUL in a header', "${get}Host: x\r\nX-A: a\0b\r\n\r\n"],
		['a control byte in a header', "${get}Host: x\r\nX-A: a\x01b\r\n\r\n"],
		['a control byte in the path', "GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n"],
		['no Host', "$get\r\n"],
		['two Hosts', "${get}Host: x\r\nHost: y\r\n\r\n"],
		['no version', "GET /\r\n\r\n"],
		['no HTTP at all', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client would begin so\r\n\r\n"],
		['a chunk size that is no number', "${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"],
		['a negative chunk size', "${post}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"],
		['a chunk longer than it says', "${post}Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n"],
	);
	refuses_bytes($_->[0], $_->[1] . $smuggled, 400, 'malformed_request') for @bad;
	refuses_bytes('a coding we do not know', "${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n$smuggled", 501, 'not_implemented');
	refuses_bytes('chunked in disguise', "${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n$smuggled", 501, 'not_implemented');
	refuses_bytes('an unknown method', "BREW $ok_path HTTP/1.1\r\nHost: x\r\n\r\n$smuggled", 501, 'not_implemented');
	refuses_bytes('an unknown version', "GET $ok_path HTTP/3.7\r\nHost: x\r\n\r\n$smuggled", 505, 'version_not_supported');
	my $h = $t->http('alice', keep_closed => 1);
	$h->raw("${post}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n$smuggled");
	like $h->response->status, qr/^(400|413)$/, 'a chunk size over 64 bits';
	ok $h->is_closed, 'closes too';
};

subtest 'too long' => sub {
	my $host = "Host: x\r\nAuthorization: Bearer $token\r\n";
	my $fits = "GET $ok_path?x=" . 'y' x (8192 - length("GET $ok_path?x= HTTP/1.1\r\n")) . " HTTP/1.1\r\n$host\r\n";
	my $h = http();
	$h->raw($fits);
	is $h->response->status, 200, 'a request line of 8 KiB';
	refuses_bytes('a request line over 8 KiB', "GET $ok_path?" . 'y' x 8192 . " HTTP/1.1\r\n$host\r\n", 414, 'uri_too_long');
	refuses_bytes('a request line without end', 'GET /' . 'y' x 20000, 414, 'uri_too_long');
	refuses_bytes('one header over 16 KiB', "GET $ok_path HTTP/1.1\r\n${host}X-A: " . 'y' x 16384 . "\r\n\r\n", 431, 'headers_too_large');
	refuses_bytes('many headers over 16 KiB', "GET $ok_path HTTP/1.1\r\n$host" . join('', map { "X-$_: y\r\n" } 1 .. 2500) . "\r\n", 431, 'headers_too_large');
	is http()->get($ok_path, headers => [map { ('X-' . $_ => 'y') } 1 .. 500])->status, 200, 'five hundred headers under 16 KiB';
	refuses_bytes('a header name without end', "GET $ok_path HTTP/1.1\r\n$host" . 'y' x 20000, 431, 'headers_too_large');
	$h->raw("GET $ok_path HTTP/1.1\r\n${host}X-A: " . 'y' x 12000 . "\r\n\r\n");
	is $h->response->status, 200, 'headers of 12 KiB';
};

subtest 'the order of checks' => sub {
	my $h = http();
	my $big = 'x' x 70000;
	my @text = ('Content-Type' => 'text/plain');
	my @cases = (
		# method, path, options, status, code
		['POST', '/nowhere', {token => undef, body => '{', headers => [@text]}, 404, 'not_found'],
		['PATCH', '/nowhere', {}, 404, 'not_found'],
		['PATCH', '/messages/send', {token => undef, body => '{', headers => [@text]}, 405, 'method_not_allowed'],
		['POST', '/messages/send', {token => undef, body => '{', headers => [@text]}, 401, 'token_invalid'],
		['POST', '/messages/send', {body => '{', headers => [@text]}, 415, 'unsupported_media_type'],
		['POST', '/messages/send', {body => '{}', headers => ['Content-Type' => undef]}, 415, 'unsupported_media_type'],
		['POST', '/messages/send', {body => '{'}, 400, 'malformed_json'],
		['POST', '/messages/send', {json => {to_user_id => 'stranger', message_type => 'text'}}, 400, 'invalid_argument'],
		['POST', '/messages/send', {json => text_to('stranger', 'x')}, 403, 'not_friends'],
		['GET', '/messages/ws', {token => undef}, 401, 'token_invalid'],
		['GET', '/messages/ws', {}, 426, 'upgrade_required'],
		['GET', '/healthz', {}, 404, 'not_found'],
		['GET', '/metrics', {}, 404, 'not_found'],
		['GET', '/messages', {}, 404, 'not_found'],
		['GET', '/messages/', {}, 404, 'not_found'],
		['GET', '/messages/send/', {}, 404, 'not_found'],
		['PUT', '/messages/12x/read', {token => undef}, 404, 'not_found'],
		['PUT', '/messages/-1/read', {}, 404, 'not_found'],
		['PUT', '/messages/99999999999999999999999/read', {}, 404, 'not_found'],
		['GET', '/messages/conversations/1/nothing', {}, 404, 'not_found'],
	);
	for (@cases) {
		my ($method, $path, $o, $status, $code) = @$_;
		my $r = $h->request($method, $path, %$o);
		is $r->status . ' ' . $r->code, "$status $code", "$method $path";
		is_shape $r->json, $PROBLEM, 'a problem with all its members';
		is $r->json->{status}, $status, 'the status within';
		is $r->json->{request_id}, $r->header('x-request-id'), 'the request id within';
		is $r->header('www-authenticate'), $status == 401 ? 'Bearer' : undef, 'WWW-Authenticate';
		is $r->header('upgrade'), $status == 426 ? 'websocket' : undef, 'Upgrade';
		like $r->header('allow'), qr/\bPOST\b/, 'Allow' if $status == 405;
	}
	my $r = $h->request('POST', '/messages/send', body => $big, headers => [@text]);
	is $r->code, 'payload_too_large', '413 comes before 415';
	$h = http();
	is $h->request('POST', '/messages/send', token => undef, body => $big)->code, 'token_invalid', '401 before 413';
	for my $type ('application/json', 'Application/JSON', 'application/json; charset=utf-8') {
		is http()->post('/messages/send', text_to('bob', $type), headers => ['Content-Type' => $type])->status, 201, "Content-Type: $type";
	}
	my %allow = ('/messages/send' => 'POST', '/messages/conversations' => 'GET', '/messages/conversations/create' => 'POST',
		'/messages/conversations/1/messages' => 'GET', '/messages/conversations/1/read' => 'PUT', '/messages/1/read' => 'PUT',
		'/messages/1/recall' => 'PUT', '/messages/1' => 'DELETE', '/messages/unread-count' => 'GET', '/messages/sync' => 'POST',
		'/messages/ws' => 'GET');
	for my $path (sort keys %allow) {
		my $r = http()->request('PATCH', $path);
		is $r->code, 'method_not_allowed', "PATCH $path";
		my %methods = map { $_ => 1 } split /\s*,\s*/, $r->header('allow') // '';
		ok $methods{$allow{$path}}, "Allow names $allow{$path}";
		ok !$methods{PATCH}, 'and not PATCH';
	}
};

subtest 'JSON that is none' => sub {
	my $h = http();
	my @bad = ('', ' ', '{', '{"a":1', '{"a":1}x', '{"a":1}{"b":2}', "{'a':1}", '{"a":01}', '{"a":1,}', 'nul', "{\"a\":\"\xff\"}",
		"{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xc0\x80\"}", '{"a":"\ud800"}', '{"a":"\udc00\ud800"}', "{\"a\":\"\n\"}", '{"a":"\x"}',
		'[' x 30000, '{"a":' x 10000, "\xef\xbb\xbf{}", '{"a":1}' . "\0");
	for (@bad) {
		my $r = $h->request('POST', '/messages/send', body => $_);
		is $r->status . ' ' . $r->code, '400 malformed_json', 'refused: ' . (substr($_, 0, 20) =~ s/[^ -~]/?/gr);
		ok length $r->detail, 'with a reason';
	}
	for ('[]', '"text"', '1', 'null', 'true') {
		my $r = $h->request('POST', '/messages/send', body => $_);
		is $r->status, 400, "JSON, but no object: $_";
		like $r->code, qr/^(malformed_json|invalid_argument)$/, 'its code';
	}
};

subtest 'X-Request-Id' => sub {
	my $h = http();
	is $h->get($ok_path, headers => ['X-Request-Id' => 'abc-123.~!'])->header('x-request-id'), 'abc-123.~!', 'kept';
	is $h->get($ok_path, headers => ['X-Request-Id' => 'y' x 64])->header('x-request-id'), 'y' x 64, 'kept up to 64 characters';
	is $h->get($ok_path, headers => ['X-Request-Id' => 'job 7: retry'])->header('x-request-id'), 'job 7: retry', 'spaces are printable, too';
	for ('y' x 65, "\x{e9}", '') {
		my $id = $h->get($ok_path, headers => ['X-Request-Id' => $_])->header('x-request-id');
		ok length $id && $id ne $_, 'replaced otherwise';
	}
	isnt $h->get($ok_path)->header('x-request-id'), $h->get($ok_path)->header('x-request-id'), 'made up anew for each request';
};

subtest 'CORS' => sub {
	my $h = http();
	my @ask = ('Access-Control-Request-Method' => 'PUT', 'Access-Control-Request-Headers' => 'authorization, content-type');
	my $r = $h->request('OPTIONS', '/messages/send', token => undef, headers => [Origin => 'https://chat.example', @ask]);
	like $r->status, qr/^20[04]$/, 'a preflight is answered';
	is $r->header('access-control-allow-origin'), 'https://chat.example', 'for the listed origin';
	like $r->header('access-control-allow-methods') // '', qr/PUT/, 'methods';
	like lc($r->header('access-control-allow-headers') // ''), qr/authorization/, 'headers';
	like $r->header('vary') // '', qr/origin/i, 'caches are told';
	$r = $h->get($ok_path, headers => [Origin => 'https://chat.example']);
	is $r->header('access-control-allow-origin'), 'https://chat.example', 'an answer too';
	is $h->get('/nope', headers => [Origin => 'https://chat.example'])->header('access-control-allow-origin'), 'https://chat.example', 'and a refusal';
	for my $origin ('https://evil.example', 'https://chat.example.evil.example', 'http://chat.example', 'null', 'https://chat.example:8443') {
		$r = $h->request('OPTIONS', '/messages/send', token => undef, headers => [Origin => $origin, @ask]);
		is $r->header('access-control-allow-origin'), undef, "no preflight for $origin";
		is $h->get($ok_path, headers => [Origin => $origin])->header('access-control-allow-origin'), undef, 'and no answer';
	}
};

subtest 'CORS of what the HTTP layer refuses' => sub {
	my $allowed = 'https://chat.example';
	my $get = "GET $ok_path HTTP/1.1\r\nHost: x\r\n";
	my $post = "POST /messages/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\nContent-Type: application/json\r\nOrigin: %s\r\n";
	my @cases = (
		['a malformed header', 400, "${get}Origin: %s\r\nno colon\r\n\r\n"],
		['a malformed header before it', 400, "${get}no colon\r\norigin:%s\r\n\r\n"],
		['two Hosts', 400, "${get}Host: y\r\nOrigin: %s\r\n\r\n"],
		['a malformed chunk', 400, "${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n"],
		['a line that is too long', 414, 'GET /' . 'a' x 9000 . " HTTP/1.1\r\nHost: x\r\nORIGIN: %s\r\n\r\n"],
		['another expectation', 417, "${get}Expect: coffee\r\nOrigin: %s\r\n\r\n"],
		['large headers before it', 431, $get . "X-Pad: 12345678901234567890\r\n" x 800 . "Origin: %s\r\n\r\n"],
		['large headers behind it', 431, "${get}Origin: %s\r\n" . "X-Pad: 12345678901234567890\r\n" x 800 . "\r\n"],
		['a header that is large by itself', 431, "${get}X-Pad: " . 'b' x 17000 . "\r\nOrigin: %s\r\n\r\n"],
		['an unknown method', 501, "BREW / HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\n\r\n"],
		['another transfer coding', 501, "${post}Transfer-Encoding: gzip\r\n\r\n"],
		['another version', 505, "GET / HTTP/1.3\r\nHost: x\r\nOrigin: %s\r\n\r\n"],
	);
	for my $case (@cases) {
		my ($name, $status, $form) = @$case;
		my %got;
		for my $origin ($allowed, 'https://evil.example') {
			my $h = $t->http(undef);
			$h->raw(sprintf $form, $origin);
			my $r = $h->response;
			$got{$origin} = $r->status . ' ' . ($r->header('access-control-allow-origin') // 'none');
		}
		is $got{$allowed}, "$status $allowed", "$status, $name: the page may read why";
		like $got{'https://evil.example'}, qr/^$status (?:none|\Q$allowed\E)\z/, 'and a page of another origin may not';
	}
};

subtest 'paths that are written otherwise' => sub {
	my $h = http();
	is $h->get('/messages/unread%2Dcount')->status, 200, 'a hyphen';
	is $h->get('/%6d%65%73%73%61%67%65%73/unread-count')->status, 200, 'letters';
	is $h->get('/messages/%75nread-count?%6cimit=1')->status, 200, 'beside a query';
	is $h->get('/users/%6De')->json->{user_id}, 'alice', '/users/me, not the user me';
	is $h->put("/friends/b%6fb/block")->json->{user}{user_id}, 'bob', 'in a user id';
	is $h->delete("/friends/bo%62/block")->json->{user}{user_id}, 'bob', 'at its end';
	is $h->get('/messages%2Funread-count')->code, 'not_found', 'a slash is never decoded';
	is $h->get('/messages/unread%252Dcount')->code, 'not_found', 'nor anything twice';
	is $h->get('/users/a%2Fb')->code, 'not_found', 'nor in a user id';
	is $h->get('/messages/unread%2')->code, 'not_found', 'what is cut off is nothing';
	is $t->http(undef)->get('/%69ndex%2ehtml')->status, 200, 'a file';
	is $t->http(undef)->get('/%2e%2e/outside.txt')->status, 404, 'and still none outside';
	is $t->node->admin_http->get('/%68ealthz')->status, 200, 'the admin listener';
};

subtest 'Content-Encoding' => sub {
	my $h = http();
	my $r = $h->post('/messages/send', text_to('bob', 'plain'), headers => ['Content-Encoding' => 'gzip']);
	is $r->status . ' ' . $r->code, '415 unsupported_media_type', 'a body in another coding is refused';
	like $r->json->{detail}, qr/Content-Encoding/, 'by name';
	is $r->header('accept-encoding'), 'identity', 'with what would do';
	is $h->post('/messages/send', text_to('bob', 'plain'), headers => ['Content-Encoding' => $_])->status, 201, "'$_' is none" for 'identity', 'Identity', '';
	is $h->post('/messages/send', text_to('bob', 'plain'), headers => ['Content-Encoding' => 'identity', 'Content-Encoding' => 'br'])->status, 415, 'nor in two lines';
	is $h->post('/messages/send', text_to('bob', 'plain'), headers => ['Content-Encoding' => 'identity, gzip'])->status, 415, 'or a list';
	is $h->post('/messages/send', undef, body => 'x', headers => ['Content-Type' => 'text/plain', 'Content-Encoding' => 'gzip'])->json->{detail} =~ /Content-Type/ ? 1 : 0, 1, 'after the type';
	is $h->get($ok_path, headers => ['Content-Encoding' => 'gzip'])->status, 200, 'without a body it means nothing';
};

subtest 'queries' => sub {
	my $h = http();
	is $h->get('/messages/conversations?limit=%32%30')->status, 200, 'percent-encoding is undone';
	for ('limit=%zz', 'limit=%3', 'limit=%ff', 'limit=', 'limit=0', 'limit=101', 'limit=-1', 'limit=1.5', 'limit=x', 'limit=99999999999999999999', 'cursor=nonsense', 'cursor=%00') {
		my $r = $h->get("/messages/conversations?$_");
		is $r->status . ' ' . $r->code, '400 invalid_argument', "?$_";
	}
	is $h->get('/messages/conversations?unknown=1&limit=5')->status, 200, 'unknown parameters are ignored';
};

subtest 'files under http.docroot' => sub {
	my $h = $t->http(undef);
	my $r = $h->get('/');
	is $r->status, 200, 'the index, without a token';
	like $r->header('content-type'), qr{^text/html}, 'as HTML';
	like $r->body, qr/hello/, 'its bytes';
	is $h->get('/', headers => ['If-None-Match' => $r->header('etag')])->status, 304, 'ETag';
	$r = $h->request('HEAD', '/sub/app.js');
	is $r->status . ' ' . ($r->header('content-length') // ''), '200 15', 'HEAD';
	like $h->get('/sub/app.js')->header('content-type'), qr{javascript}, 'its type';
	is $h->get('/nothing.html')->code, 'not_found', 'nothing there';
	is $h->get('/messages/nothing.html')->code, 'not_found', 'nor under our own paths';
	for ('/../outside.txt', '/sub/../../outside.txt', '/%2e%2e/outside.txt', '/..%2foutside.txt', '/sub/%2e%2e%2f%2e%2e%2foutside.txt', '/link.txt',
		'/sub', '//etc/passwd', '/index.html%00.js') {
		my $r = $t->http(undef)->get($_);
		like $r->status, qr/^(400|404)$/, "nothing outside: $_";
		unlike $r->body, qr/not for the web|root:/, 'and no word of it';
	}
};

subtest 'time limits' => sub {
	my $host = "Host: x\r\nAuthorization: Bearer $token\r\n";
	my $idle = http();
	is $idle->get($ok_path)->status, 200, 'a connection that was used';
	my $half = $t->http('alice', keep_closed => 1);
	$half->raw("GET $ok_path HTTP/1.1\r\n$host");
	my $body = $t->http('alice', keep_closed => 1);
	$body->raw("POST /messages/send HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
	# The server has read them when it has answered one that came later on the same worker; there are two workers.
	$t->http('alice')->get($ok_path) for 1 .. 4;
	$t->node->clock(12);
	my $r = $half->response;
	is $r->status . ' ' . $r->code, '408 request_timeout', 'headers that do not end within header_timeout';
	ok $half->is_closed, 'closed';
	is $idle->get($ok_path)->status, 200, 'an idle connection stays';
	$t->node->clock(25);
	$r = $body->response;
	is $r->status . ' ' . $r->code, '408 request_timeout', 'a body that does not end within body_timeout';
	ok $body->is_closed, 'closed';
	$t->node->clock(80);
	ok $idle->is_closed, 'an idle one goes after keepalive_timeout, without a word';
};

$t->stop;
done_testing;
