# SPDX-License-Identifier: BSD-2-Clause
# Proves tidingsctl drain: the node says that it is not ready while it still serves, then sends everybody elsewhere and
# ends by itself. And tidingsctl top.
use Tidings;
use Tidings::Util qw(reap run spew);
use JSON::PP ();

subtest 'drain' => sub {
	my $t = Tidings->start(workers => 2, conf => {drain_timeout => 6});
	my $node = $t->node;
	my $ws = $t->ws('alice');
	my $admin = $node->admin_http;
	my $reply = $node->ctl_ok('drain', '--json');
	is $reply->{leaves_within_ms}, 6000, 'within drain_timeout';
	my $r = $admin->get('/readyz');
	is $r->status, 503, 'not ready at once, for the balancer';
	like $r->json->{detail}, qr/draining/, 'with the reason';
	is $admin->get('/healthz')->status, 200, 'but alive';
	is $node->ctl_ok('status', '--json')->{state}, 'draining', 'which status tells';
	is $t->http('bob')->get('/messages/unread-count')->status, 200, 'whom the balancer still sends is served';
	is $ws->request(type => 'ping')->{type}, 'pong', 'and who is here';
	for (['drain'], ['reload']) {
		my ($status, $out, $err) = $node->ctl(@$_);
		is $status, 1, "no @$_ any more";
		like $err, qr/stopping/, 'for it is stopping';
	}
	ok $ws->expect('reconnect'), 'then sessions are told to go elsewhere';
	is $ws->close_code, 1001, 'with 1001';
	my $status = wait_for('the end', sub { my $s = reap($node->pid); defined $s && "status $s" });
	is $status, 'status 0', 'and the node ends by itself';
	delete $node->{pid};
	$node->inspect_log;
	$node->start;
	is $node->admin_http->get('/readyz')->status, 200, 'a new start is ready again';
	$node->ctl_ok('drain');
	ok $node->stop, 'TERM does not wait for a balancer';
	$t->stop;
};

subtest 'who has connected before the end' => sub {
	my $t = Tidings->start(workers => 2, conf => {drain_timeout => 20});
	my $node = $t->node;
	# One of them has no room for all.
	wait_for('both workers', sub { $node->ctl_ok('status', '--json')->{workers_ready} == 2 });
	kill 'STOP', $node->pid;
	my @clients = map { $t->http("user$_") } 1 .. 100;
	$_->send_request('GET', '/messages/unread-count') for @clients;
	kill 'TERM', $node->pid;
	kill 'CONT', $node->pid;
	my %answers;
	for my $client (@clients) {
		my $r = eval { $client->response };
		$answers{$r ? $r->status : $@ || 'nothing'}++;
	}
	is_deeply \%answers, {200 => 100}, 'is answered, though nobody had taken the connection yet';
	ok $node->stop(signal => 0), 'and then the node ends';
	$t->stop;
};

subtest 'top' => sub {
	my $t = Tidings->start(workers => 2);
	my $node = $t->node;
	$t->befriend(qw(alice bob));
	my $ws = $t->ws('alice');
	wait_for('the session to be counted', sub { $node->ctl_ok('--json', 'status')->{sessions} == 1 });
	my $screen = $node->ctl_ok('top');
	like $screen, qr/\Atidings \S+ on n\d+: serving, database up, Redis up\n/, 'without a terminal: a screen';
	like $screen, qr/^\Q$_\E /m, "with $_" for qw(workers writers relay connections sessions requests/s sends/s batch commit queue);
	is scalar(() = $screen =~ /^ +\d+ +\d+ ready /mg), 4, 'and a line a worker, a writer and a relay';
	unlike $screen, qr/\033/, 'and no control sequences';
	my $figures = $node->ctl_ok('top', '--json');
	is_deeply [@$figures{qw(workers workers_ready sessions store_pending)}], [2, 2, 1, 0], 'as JSON';
	ok exists $figures->{$_}, $_ for qw(requests_per_second sends_per_second batch_size commit_ms);

	SKIP: {
		my $script = grep { -x "$_/script" } split /:/, $ENV{PATH};
		skip 'no script(1) to make a terminal', 3 if !$script;
		my $ctl = Tidings::Server::program('tidingsctl');
		my ($status, $out) = run(Tidings::dir(), {input => 'q'}, 'script', '-qefc', "$ctl -c $node->{conf_path} top", '/dev/null');
		is $status, 0, 'q leaves the live screen';
		like $out, qr/\033\[\?1049h.*\033\[\?1049l/s, 'which is put back';
	}
	is +($node->ctl('top', 'more'))[0], 2, 'an argument too many';
	$t->stop;
	is +($node->ctl('top'))[0], 1, 'without a server';
};

done_testing;
