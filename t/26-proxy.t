# SPDX-License-Identifier: BSD-2-Clause
# Proves the PROXY protocol: both versions, on plain and TLS listeners, from trusted addresses only; the client that the
# balancer names is whom sessions and limits know; everything else is closed without an answer.
use Tidings;
use Tidings::Util qw(free_port run);
use Socket qw(inet_pton AF_INET AF_INET6);

my $dir = Tidings::dir();
my ($status, $out, $err) = run($dir, qw(openssl req -x509 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -newkey ec -pkeyopt ec_paramgen_curve:P-256),
	'-keyout', "$dir/tls.key", '-out', "$dir/tls.pem");
die "openssl: $err\n" if $status;
my ($secure, $unix) = ('127.0.0.1:' . free_port(), "unix:$dir/proxied.sock");
my $t = Tidings->start(workers => 2, conf => {proxy_protocol => 'true', trusted_proxies => ['127.0.0.0/31', '10.0.0.0/8'], listen => ['127.0.0.1:' . free_port(), $unix],
	tls => {listen => [$secure], certificate => "$dir/tls.pem", key => "$dir/tls.key"}, session => {policy => 'multi'}, limits => {logins_per_minute => 4, connections_per_minute => 60, connections_per_address => 5}});
my $plain = $t->node->{conf}{listen}[0];
my %tls = (tls => {SSL_ca_file => "$dir/tls.pem"});

sub v1 { my ($host, $port) = @_; return 'PROXY ' . ($host =~ /:/ ? 'TCP6' : 'TCP4') . " $host " . ($host =~ /:/ ? '::1' : '127.0.0.1') . " $port 443\r\n" }
sub v2 {
	my ($host, $port, $tlv) = @_;
	my $body = $host =~ /:/ ? inet_pton(AF_INET6, $host) . inet_pton(AF_INET6, '::1') : inet_pton(AF_INET, $host) . inet_pton(AF_INET, '127.0.0.1');
	$body .= pack('nn', $port, 443) . ($tlv // '');
	return "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x21, $host =~ /:/ ? 0x21 : 0x11, length $body) . $body;
}
my $local = "\r\n\r\n\0\r\nQUIT\n" . pack('CCn', 0x20, 0, 0);

sub address_of {
	my ($user) = @_;
	my @sessions = @{$t->node->ctl_ok('sessions', $user, '--json')->{sessions}};
	return join ' ', sort map { $_->{address} } @sessions;
}

subtest 'who a session is' => sub {
	my @cases = (['version 1', $plain, v1('203.0.113.7', 4711), '203.0.113.7'], ['version 2', $plain, v2('203.0.113.8', 4711), '203.0.113.8'], ['with TLVs', $plain, v2('203.0.113.9', 1, "\x04\0\x05hello"), '203.0.113.9'],
		['IPv6', $plain, v1('2001:db8::7', 4711), '2001:db8::7'], ['IPv6, version 2', $plain, v2('2001:db8::8', 1), '2001:db8::8'], ['LOCAL', $plain, $local, '127.0.0.1'], ['UNKNOWN', $plain, "PROXY UNKNOWN\r\n", '127.0.0.1'],
		['before TLS', $secure, v2('203.0.113.10', 1), '203.0.113.10', %tls], ['before TLS, version 1', $secure, v1('203.0.113.11', 1), '203.0.113.11', %tls], ['a UNIX socket', $unix, v1('203.0.113.12', 1), '203.0.113.12']);
	my $n = 0;
	for (@cases) {
		my ($name, $address, $greeting, $want, @o) = @$_;
		my $user = 'user' . ++$n;
		my $ws = Tidings::WS->open(address => $address, greeting => $greeting, token => $t->token($user), @o);
		is address_of($user), $want, $name;
		is $ws->request(type => 'ping')->{type}, 'pong', 'and it talks';
	}
};

subtest 'in pieces, or all at once' => sub {
	for my $header (v1('203.0.113.20', 1), v2('203.0.113.20', 1)) {
		my $http = Tidings::HTTP->new(address => $plain, token => $t->token('ann'));
		$http->raw($_) for split //, $header;
		is $http->get('/messages/unread-count')->status, 200, 'byte by byte';
		$http = Tidings::HTTP->new(address => $plain, token => $t->token('ann'));
		$http->raw($header . $http->render('GET', '/messages/unread-count') x 3);
		is_deeply [map { $http->response->status } 1 .. 3], [200, 200, 200], 'with three requests behind it';
	}
};

subtest 'connections of an address are its own, not the balancer\'s' => sub {
	my $ask = sub {
		my ($greeting) = @_;
		my $http = Tidings::HTTP->new(address => $plain, greeting => $greeting, token => $t->token('ann'));
		return ($http->get('/messages/unread-count')->status, $http);
	};
	my (@kept, %got);
	my $keep = sub { my ($status, $http) = $ask->(@_); push @kept, $http; return $status };
	$got{$keep->(v1('203.0.113.50', $_))}++ for 1 .. 5;
	is_deeply \%got, {200 => 5}, 'as many as may be';
	is $keep->(v1('203.0.113.50', 6)), 503, 'and no more';
	is $keep->(v2('203.0.113.51', 1)), 200, 'another client of the balancer is not concerned';
	is_deeply [map { $keep->(v2("2001:db8:0:1::$_", 1)) } 1 .. 6], [(200) x 5, 503], 'of IPv6 a /64 counts as one';
	is $keep->(v2('2001:db8:0:2::1', 1)), 200, 'and the next one by itself';
	is_deeply [map { $keep->($local) } 1 .. 10], [(200) x 10], 'the balancer\'s own have no limit';
	$_->close for @kept;
};

sub is_dropped {
	my ($name, %o) = @_;
	my $bytes = delete $o{bytes};
	my $http = Tidings::HTTP->new(address => $plain, token => $t->token('ann'), %o);
	my $closed = eval {
		$http->raw($bytes);
		1 while $http->fill(now() + 20);
		1;
	};
	is $http->{in}, '', "$name: closed without an answer";
	return;
}

subtest 'everything else' => sub {
	my $request = "GET /messages/unread-count HTTP/1.1\r\nHost: x\r\n\r\n";
	is_dropped('no header', bytes => $request);
	is_dropped('not from a trusted address', bytes => v1('203.0.113.7', 1) . $request, from => '127.0.0.2');
	is_dropped('a broken header', bytes => "PROXY TCP4 203.0.113.7 1.2.3.4 5\r\n$request");
	is_dropped('a broken header, version 2', bytes => "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x01x$request");
	is_dropped('a TLS hello without one', bytes => "\x16\x03\x01\x00\x05hello");
	my $twice = Tidings::HTTP->new(address => $plain, greeting => v1('203.0.113.7', 1) x 2, token => $t->token('ann'));
	is $twice->get('/messages/unread-count')->status, 400, 'a second header is no request';
	is $t->node->admin_http->get('/healthz')->status, 200, 'the admin listener wants none';
};

subtest 'limits are of the client' => sub {
	my $login = sub { my ($host) = @_; return Tidings::HTTP->new(address => $plain, greeting => v1($host, 1))->post('/users/login', {user_id => "u$host" . rand, password => 'wrong password'})->status };
	is_deeply [map { $login->('198.51.100.1') } 1 .. 5], [(401) x 4, 429], 'four logins a minute';
	is $login->('198.51.100.2'), 401, 'another client has its own';
	my @tries = map { my $h = Tidings::HTTP->new(address => $plain, greeting => v1('198.51.100.9', $_), token => $t->token('ann')); my $r = eval { $h->get('/messages/unread-count') }; $r ? $r->status : 'closed' } 1 .. 70;
	is_deeply [@tries[0, 59]], [200, 200], 'sixty connections a minute';
	is $tries[-1], 'closed', 'and those above are closed';
	my $other = Tidings::HTTP->new(address => $plain, greeting => v1('198.51.100.10', 1), token => $t->token('ann'));
	is $other->get('/messages/unread-count')->status, 200, 'not those of others';
};

$t->stop;
done_testing;
