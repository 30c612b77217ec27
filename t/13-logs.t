# SPDX-License-Identifier: BSD-2-Clause
# Proves what the access log and the event log hold and what they never hold: a line a request whatever comes in, no
# token however it travels and no content of a message at any level, rotation by USR1 without a lost line, and that a
# disk which takes nothing stops nothing.
use Tidings;
use JSON::PP ();
use Tidings::Util qw(slurp);

my $dir = Tidings::dir();
my $json = JSON::PP->new->utf8;

sub access_lines { my ($file) = @_; return split /\n/, slurp($file) }
# Waits for the line with that request id.
sub line_of {
	my ($file, $id) = @_;
	return wait_for("request $id in $file", sub { (grep { index($_, $id) >= 0 } access_lines($file))[0] });
}

subtest 'text' => sub {
	my $file = "$dir/access-text";
	my $t = Tidings->start(workers => 2, conf => {log => {access => $file}});
	$t->befriend(qw(alice bob));
	my $r = $t->http('alice')->post('/messages/send?q=hidden', text_to('bob', 'hi'), headers => ['X-Request-Id' => 'mine-1']);
	is $r->header('x-request-id'), 'mine-1', 'the request keeps its id';
	my $line = line_of($file, 'mine-1');
	like $line, qr{^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z 127\.0\.0\.1 POST /messages/send 201 (\d+) \d+\.\d{3} mine-1\z},
		'time, address, method, path without query, status, bytes, milliseconds, id';
	my ($bytes) = $line =~ / 201 (\d+) /;
	cmp_ok $bytes, '>', length $r->body, 'bytes are those of head and body';
	$r = $t->http(undef)->get('/messages/unread-count');
	like line_of($file, $r->header('x-request-id')), qr{ GET /messages/unread-count 401 }, 'a refused one, with the id that was made for it';
	$r = $t->http(undef)->get('/nowhere/%41%0a"x"');
	like line_of($file, $r->header('x-request-id')), qr{ GET /nowhere/%41%0a\\x22x\\x22 404 }, 'a strange path is escaped' if $r->status == 404;
	my $raw = $t->http(undef);
	$raw->raw("NONSENSE\r\n\r\n");
	$r = $raw->response;
	my $status = $r->status;
	like line_of($file, $r->header("x-request-id")), qr{ - - $status }, 'one that could not be read has neither method nor path';
	my $ws = $t->ws('bob', via => 'query');
	wait_for('the handshake', sub { grep { m{ GET /messages/ws 101 } } access_lines($file) });
	pass 'a handshake is a line';
	$t->node->admin_http->get('/metrics');
	$t->stop;
	is scalar(grep { m{/metrics|/readyz} } access_lines($file)), 0, 'the admin listener\'s are not';
};

subtest 'JSON, the workers sharing one file' => sub {
	my $file = "$dir/access-json";
	my $t = Tidings->start(workers => 4, conf => {log => {access => $file, format => 'json'}});
	my @http = map { $t->http("user$_") } 1 .. 20;
	for my $round (1 .. 10) {
		$http[$_]->send_request('GET', '/messages/unread-count', headers => ['X-Request-Id' => "r-$round-$_"]) for 0 .. $#http;
		is_deeply [grep { $_->response->status != 200 } @http], [], "round $round" if $round == 10;
		$_->response for $round < 10 ? @http : ();
	}
	$t->stop;
	my @lines = map { eval { $json->decode($_) } // {request_id => "no JSON: $_"} } access_lines($file);
	is_deeply [sort map { $_->{request_id} } @lines], [sort map { my $r = $_; map { "r-$r-$_" } 0 .. $#http } 1 .. 10],
		'each request once, each line whole, also those of the last moment';
	is_deeply [sort keys %{$lines[0]}], [qw(address bytes method ms path request_id status time)], 'with these members';
	like $json->encode([@{$lines[0]}{qw(status)}]), qr/\[200\]/, 'numbers as numbers';
};

subtest 'nothing secret in any log' => sub {
	my ($access, $events) = ("$dir/access-secret", "$dir/events-secret");
	my $t = Tidings->start(workers => 2, conf => {log => {access => $access, target => $events, level => 'debug'}});
	$t->befriend(qw(alice bob));
	my $content = 'the-content-of-a-message';
	my $token = $t->token('alice');
	for my $via (qw(header query subprotocol)) {
		my $ws = $t->ws('alice', via => $via);
		is $ws->request(type => 'send', %{text_to('bob', $content)})->{type}, 'ack', "a send over a WebSocket whose token came by $via";
		$ws->send_text('{"type":"send","ref":"x","content":"' . $content . '","to_user_id":"bob","message_type":"nonsense"}');
		is $ws->answer('x')->{type}, 'error', 'and a wrong one';
		$ws->send_text("{\"type\": $content");
		$ws->close;
		$ws->close_code;
	}
	my $http = $t->http('alice');
	$http->post('/messages/send', text_to('bob', $content));
	$http->post('/messages/send', {to_user_id => 'bob', message_type => 'image', content => $content, media_url => "no-url-$content"});
	$http->request('POST', '/messages/send', body => "{\"content\": \"$content\", ");
	my $bad = $t->token('alice', exp => 1);
	my $raw = $t->http(undef);
	$raw->get("/messages/unread-count?access_token=$token");
	$raw->get('/messages/unread-count', headers => [Authorization => "Bearer $bad"]);
	$raw->get("/messages/ws?access_token=$bad");
	$raw->get('/messages/ws', headers => ['Sec-WebSocket-Protocol' => "tidings.v1, bearer.$bad"]);
	$raw->raw("GET http://test.invalid/messages/ws?access_token=$token HTTP/1.1\r\nHost: test.invalid\r\n\r\n");
	$raw->response;
	my $broken = $t->http(undef);
	$broken->raw("GET /messages/ws?access_token=$token HTTP/9.9\r\n\r\n");
	$broken->response;
	my $r = $t->http('alice')->post('/users/register', {user_id => 'carol', password => 'the-password-of-carol'});
	is $r->status, 201, 'a registration';
	my $given = $r->json->{token};
	my $id = $r->header('x-request-id');
	$t->stop;
	my %log = (access => slurp($access), event => slurp($events) . $t->node->log_text);
	for my $which (sort keys %log) {
		cmp_ok length $log{$which}, '>', 500, "the $which log at level debug";
		like $log{$which}, qr/\Q$id\E/, 'knows the request';
		my %secret = (token => $token, 'expired token' => $bad, 'token that was given' => $given);
		for (sort keys %secret) {
			my @parts = split /\./, $secret{$_};
			is_deeply [grep { index($log{$which}, $_) >= 0 } @parts[1, 2]], [], "but not the $_";
		}
		unlike $log{$which}, qr/access_token|bearer\./i, 'nor how it travelled';
		unlike $log{$which}, qr/\Q$content\E/, 'nor a content';
		unlike $log{$which}, qr/the-password/, 'nor a password';
	}
};

subtest 'rotation' => sub {
	my $file = "$dir/access-rotated";
	my $t = Tidings->start(workers => 2, conf => {log => {access => $file}});
	my @http = map { $t->http("user$_") } 1 .. 8;
	my $n = 0;
	my $round = sub { for my $h (@http) { $h->get('/messages/unread-count', headers => ['X-Request-Id' => 'n-' . ++$n]) } };
	$round->();
	line_of($file, "n-$n");
	for my $i (1 .. 3) {
		$round->();
		rename $file, "$file.$i";
		$round->();
		kill 'USR1', $t->node->pid;
		wait_for('the new file', sub { -e $file });
		wait_for('both workers in it', sub { $round->(); my %by = map { /(n-\d+)$/ ? ($1 => 1) : () } access_lines($file); keys %by >= @http });
	}
	$t->stop;
	my @ids = sort { $a <=> $b } map { /n-(\d+)$/ } map { access_lines($_) } $file, map { "$file.$_" } 1 .. 3;
	is_deeply \@ids, [1 .. $n], 'every request is in one of the files, once';
};

subtest 'a disk that takes nothing' => sub {
	my $t = Tidings->start(workers => 1, conf => {log => {access => '/dev/full', target => '/dev/full', level => 'debug'}});
	my $http = $t->http('alice');
	# Over the 256 KiB that may wait.
	my $path = '/messages/unread-count/' . 'x' x 4000;
	is_deeply [grep { $_ != 404 } map { $http->get($path)->status } 1 .. 150], [], 'requests go on';
	is $http->get('/messages/unread-count')->status, 200, 'all of them';
	wait_for('the loss to be counted', sub { $t->node->admin_http->get('/metrics')->body =~ /^tidings_access_log_lost_total [1-9]/m });
	pass 'lines that are lost are counted';
	$t->stop;
};

subtest 'a reload turns it on and off' => sub {
	my $file = "$dir/access-reload";
	my $t = Tidings->start(workers => 1);
	my %conf = %{$t->node->{conf}};
	$t->node->configure({%conf, log => {access => $file}});
	$t->node->reload;
	wait_for('the log', sub { $t->http('alice')->get('/messages/unread-count'); -s $file });
	$t->node->configure(\%conf);
	$t->node->reload;
	my $old = (stat $file)[7];
	wait_for('the end of it', sub {
		my $before = (access_lines($file));
		my $r = $t->http('alice')->get('/messages/unread-count');
		my @workers = @{$t->node->ctl_ok('--json', 'workers')->{workers}};
		return @workers == 1 && $workers[0]{state} eq 'ready';
	});
	my $lines = () = access_lines($file);
	$t->http('alice')->get('/messages/unread-count') for 1 .. 5;
	$t->stop;
	is scalar(() = access_lines($file)), $lines, 'no line after it was turned off';
};

done_testing;
