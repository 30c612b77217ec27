# SPDX-License-Identifier: BSD-2-Clause
# Proves TLS in the workers: HTTP and WebSockets through it, which versions, tickets taken from one worker and used on
# another, certificates that change at a reload, what is refused at the start, and that bytes which are no TLS harm nobody.
use Tidings;
use Tidings::Util qw(free_port run slurp);
use File::Copy qw(copy);
use IO::Socket::SSL ();
use IO::Select ();
use IO::Socket::IP ();
use POSIX ();
use Tidings::Spec;
use Socket ();

my $dir = Tidings::dir();

sub make_certificate {
	my ($name, @key) = @_;
	my ($status, $out, $err) = run($dir, qw(openssl req -x509 -nodes -days 2 -subj /CN=localhost -addext), "subjectAltName=DNS:localhost", qw(-newkey), @key,
		'-keyout', "$dir/$name.key", '-out', "$dir/$name.pem");
	die "openssl: $err\n" if $status;
	return;
}
make_certificate('one', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
make_certificate('two', 'rsa:2048');
copy("$dir/one.$_", "$dir/live.$_") for qw(pem key);

my $address = '127.0.0.1:' . free_port();
my $t = Tidings->start(workers => 2, conf => {session => {policy => 'single'}, tls => {listen => [$address], certificate => "$dir/live.pem", key => "$dir/live.key"}, http => {max_body => 200000}, websocket => {max_message => 200000}});
$t->befriend(qw(alice bob));

my %tls = (SSL_ca_file => "$dir/one.pem");
# The clocks move by hours.
sub https { my ($user, %o) = @_; return Tidings::HTTP->new(address => $address, token => $t->token($user, exp => time + 86400), tls => \%tls, %o) }
sub wss { my ($user, %o) = @_; return Tidings::WS->open(address => $address, token => $t->token($user), name => $user, tls => \%tls, %o) }

subtest 'HTTP and WebSocket' => sub {
	my $alice = https('alice');
	is $alice->post('/messages/send', text_to('bob', "m$_"))->status, 201, "message $_ of one connection" for 1 .. 3;
	my ($a, $b) = (wss('alice'), wss('bob'));
	is $a->request(type => 'send', %{text_to('bob', 'through a WebSocket')})->{message}{content}, 'through a WebSocket', 'sent';
	is $b->expect('message')->{message}{content}, 'through a WebSocket', 'and received';
	my $plain = $t->ws('bob');
	is $b->close_code, 4001, 'a session without TLS takes its place';
	$a->request(type => 'send', %{text_to('bob', 'mixed')});
	is $plain->expect('message')->{message}{content}, 'mixed', 'and gets what comes through TLS';
	my $large = 'x' x 16000;
	my @ids = map { $alice->post('/messages/send', text_to('bob', $large))->json->{conversation_id} } 1 .. 20;
	is length $alice->get("/messages/conversations/$ids[0]/messages?limit=100")->body > 320_000, 1, 'an answer of many records';
	$alice->send_request('GET', '/messages/unread-count') for 1 .. 20;
	is_deeply [map { $alice->response->status } 1 .. 20], [(200) x 20], 'pipelined';
	is $a->close(1000)->close_code, 1000, 'a close handshake';
	my $long = https('alice');
	$long->send_request('POST', '/messages/send', json => text_to('bob', 'y' x 16000), headers => [Connection => 'close']);
	is $long->response->status, 201, 'an answer before the end';
	ok $long->is_closed, 'which comes';
};

subtest 'a record byte by byte' => sub {
	# Between the client and the server a relay that gives the server one byte at a time.
	my $listener = IO::Socket::IP->new(Listen => 1, LocalAddr => '127.0.0.1:0') or die;
	my $pid = fork // die;
	if (!$pid) {
		my $client = $listener->accept;
		my $server = IO::Socket::IP->new(PeerAddr => $address) or POSIX::_exit(1);
		$server->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
		my $select = IO::Select->new($client, $server);
		while (my @ready = $select->can_read) {
			for my $from (@ready) {
				my $n = sysread $from, my $bytes, 65536;
				POSIX::_exit(0) if !$n;
				if ($from == $server) { syswrite $client, $bytes }
				else { syswrite $server, $_ for split //, $bytes }
			}
		}
		POSIX::_exit(0);
	}
	my $http = Tidings::HTTP->new(address => '127.0.0.1:' . $listener->sockport, token => $t->token('alice'), tls => \%tls);
	is $http->get('/messages/unread-count')->status, 200, 'is understood';
	$http->close;
	waitpid $pid, 0;
};

subtest 'versions' => sub {
	for (['TLSv1_3', 1], ['TLSv1_2', 1], ['TLSv1_1', 0], ['TLSv1', 0]) {
		my ($version, $good) = @$_;
		my $s = IO::Socket::SSL->new(PeerAddr => $address, %tls, SSL_verifycn_name => 'localhost', SSL_version => $version, SSL_cipher_list => 'ALL:@SECLEVEL=0');
		is !!$s, !!$good, $version . ($good ? '' : ' is refused');
	}
	my $s = IO::Socket::SSL->new(PeerAddr => $address, %tls, SSL_verifycn_name => 'localhost');
	is $s->get_sslversion, 'TLSv1_3', 'the best is chosen';
};

sub ticket_is_used {
	my ($version, $file) = @_;
	my $request = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	my ($status, $out, $err) = run($dir, {input => $request}, 'sh', '-c', "openssl s_client -connect $address -$version -ign_eof -CAfile $dir/one.pem $file 2>&1");
	my ($answer) = $out =~ m{^(HTTP/1\.1 .*)}ms;
	Tidings::Spec::check_exchange(method => 'GET', path => '/x', bytes => $request,
		response => Tidings::HTTP::Response->parse(\$answer, 0, 1) // die "no answer: $out\n");
	return $out;
}

subtest 'tickets of one worker are good on another' => sub {
	for my $version (qw(tls1_2 tls1_3)) {
		like ticket_is_used($version, "-sess_out $dir/session"), qr/^(?:---\n)?New, /m, "$version: a new session";
		my $reused = grep { ticket_is_used($version, "-sess_in $dir/session") =~ /^Reused, /m } 1 .. 12;
		is $reused, 12, 'and resumed twelve times, on whichever worker';
	}
	my %taken = map { $_->{pid} => $_->{taken} // $_->{connections_taken} // 1 } @{$t->node->ctl_ok('workers', '--json')->{workers}};
	is scalar keys %taken, 2, 'there are two of them';
	$t->node->reload;
	like ticket_is_used('tls1_3', "-sess_in $dir/session"), qr/^Reused, /m, 'and on their successors';
	$t->node->clock(3600 + 1);
	like ticket_is_used('tls1_2', "-sess_out $dir/later"), qr/^New, /m, 'an hour later there is a new key';
	$t->node->clock(3 * 3600);
	unlike ticket_is_used('tls1_3', "-sess_in $dir/session"), qr/^Reused, /m, 'and three hours later an old ticket is worth nothing';
};

subtest 'certificates' => sub {
	my $kept = https('alice');
	is $kept->get('/messages/unread-count')->status, 200, 'a connection';
	copy("$dir/two.$_", "$dir/live.$_") for qw(pem key);
	$t->node->reload;
	my %other = (SSL_ca_file => "$dir/two.pem");
	wait_for('the new certificate', sub { my $s = eval { https('alice', tls => \%other)->socket }; return $s });
	is https('alice', tls => \%other)->get('/messages/unread-count')->status, 200, 'a reload brings the new one';
	copy("$dir/one.pem", "$dir/live.pem");
	my ($status, $out, $err) = $t->node->ctl('reload');
	isnt $status, 0, 'a key that does not fit is refused';
	like $out . $err, qr/tls\.key/, 'by name';
	is https('alice', tls => \%other)->get('/messages/unread-count')->status, 200, 'and the running one stays';
	copy("$dir/one.key", "$dir/live.key");
	$t->node->reload;
	wait_for('the first certificate again', sub { eval { https('alice')->socket } });
};

subtest 'what is no TLS' => sub {
	srand 7;
	for my $junk ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff" . 'x' x 70000, "\x16\x03\x01\x00\x02\x01\x00", "\x80\x2e\x01\x00\x02", join('', map { chr int rand 256 } 1 .. 5000), "\x15\x03\x03\x00\x02\x02\x28", '') {
		my $http = Tidings::HTTP->new(address => $address);
		$http->raw($junk);
		$http->socket->shutdown(1);
		my $answer = '';
		while ($http->fill(now() + 20)) { }
		unlike $http->{in}, qr/HTTP/, 'gets no HTTP answer';
	}
	# A client that begins and goes on with other things holds up nobody.
	my @idle = map { my $h = Tidings::HTTP->new(address => $address); $h->raw("\x16\x03\x01"); $h } 1 .. 30;
	is https('alice')->get('/messages/unread-count')->status, 200, 'half-open handshakes hold up nobody';
	is $t->http('alice', token => $t->token('alice', exp => time + 86400))->get('/messages/unread-count')->status, 200, 'the plain listener is there as before';
	my $http = Tidings::HTTP->new(address => $t->node->address);
	$http->raw("\x16\x03\x01\x00\x05hello");
	$http->socket->shutdown(1);
	1 while $http->fill(now() + 20);
	like $http->{in}, qr{^HTTP/1\.1 400 }, 'which takes TLS for a malformed request';
};

subtest 'a key that is root\'s alone' => sub {
	plan skip_all => 'only root can become another user' if $> != 0;
	chmod 0600, "$dir/one.key";
	my $own = '127.0.0.1:' . free_port();
	# Without the databases, whose sockets lie where that user cannot go.
	my $s = Tidings->start(workers => 1, start => 0, conf => {user => 'nobody', tls => {listen => [$own], certificate => "$dir/one.pem", key => "$dir/one.key"}});
	$s->node->start(ready => 0);
	my $http = Tidings::HTTP->new(address => $own, tls => \%tls);
	is $http->get('/nothing')->status, 404, 'is read before the worker becomes another user';
	$s->stop;
};

subtest 'the start' => sub {
	for ([{certificate => "$dir/one.pem"}, qr/tls\.key/], [{certificate => "$dir/none.pem", key => "$dir/one.key"}, qr/tls\.certificate/], [{certificate => "$dir/one.pem", key => "$dir/two.key"}, qr/tls\.key/],
		[{certificate => "$dir/one.key", key => "$dir/one.key"}, qr/tls\.certificate/]) {
		my ($tls, $why) = @$_;
		my $bad = Tidings->start(start => 0, migrate => 0, conf => {tls => {listen => ['127.0.0.1:' . free_port()], %$tls}});
		my ($status, $out, $err) = run($dir, Tidings::Server::program('tidingsd'), '-c', $bad->node->{conf_path}, '-t');
		is $status, 1, 'does not start';
		like $err, $why, 'and says why';
	}
};

$t->stop;
done_testing;
