# SPDX-License-Identifier: BSD-2-Clause
# Proves what Redis going away costs: nothing that lasts. Writes go on, WebSockets stay, /readyz says so, everyone is
# told to catch up when it is back, and events flow again; FLUSHALL loses nothing.
use Tidings;

my $stack = Tidings::stack();

# Sends until everyone hears. Workers come back one after the other, so a message may still pass someone by at first:
# whoever missed one must then be told to catch up.
sub flows_again {
	my ($t, $name, $from, $to, @ws) = @_;
	for my $try (1 .. 20) {
		my $m = $t->http($from)->post('/messages/send', text_to($to, "$name $try"))->json;
		my @missed;
		for my $ws (@ws) {
			my $e = $ws->wait_event('the message, or a resync', sub {
				my ($e) = @_;
				return $e->{type} eq 'resync' || $e->{type} eq 'message' && $e->{message}{id} eq $m->{id};
			});
			push @missed, $ws->{name} if $e->{type} eq 'resync';
		}
		return pass("$name: everyone hears") if !@missed;
		note("$name, try $try: told to catch up: @missed");
	}
	return fail("$name: everyone hears");
}

sub away {
	my ($t, $workers) = @_;
	$t->befriend(qw(alice bob carol));
	my @bob = map { $t->ws('bob', query => "device=d$_", name => "bob/d$_") } 1 .. 2 * $workers;
	my $alice = $t->ws('alice');
	my $m = $alice->request(type => 'send', %{text_to('bob', 'before')})->{message};
	$_->expect('message') for @bob;

	$stack->redis_stop('KILL');
	my $r = wait_for('/readyz to notice', sub { my $r = $t->node->admin_http->get('/readyz'); $r->status == 503 && $r });
	like $r->body, qr/redis/i, 'readyz names Redis';
	unlike $r->body, qr/(database|mariadb|mysql)[^,}]*(away|down|false)/i, 'and not the database' if $r->body !~ /\{/;
	is $t->node->admin_http->get('/healthz')->status, 200, 'it is alive all the same';
	for my $i (1 .. 5) {
		my $ack = $alice->request(type => 'send', %{text_to('bob', "away $i")});
		is $ack->{type}, 'ack', "a send by WebSocket ($i)";
		is $t->http('alice')->post('/messages/send', text_to('bob', "rest $i"))->status, 201, "and by REST ($i)";
	}
	my $late = $t->ws('carol');
	is $late->hello->{user_id}, 'carol', 'one may come meanwhile';
	is $late->request(type => 'ping')->{type}, 'pong', 'and stay';
	is $t->http('alice')->get('/messages/conversations')->status, 200, 'lists are answered';

	$stack->redis_start;
	$_->expect('resync') for @bob, $alice, $late;
	pass 'resync to everyone';
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	$_->settle, $_->{events} = [] for @bob, $alice, $late;
	my $synced = $t->http('bob')->post('/messages/sync', {conversations => [{id => $m->{conversation_id}, seq => $m->{seq}, change_seq => 0}], since => undef})->json;
	is scalar(@{$synced->{conversations}[0]{messages}}), 10, 'catching up finds all of it';
	flows_again($t, 'after', 'alice', 'bob', @bob, $alice);
	flows_again($t, 'to the one who came meanwhile', 'bob', 'carol', $late);
	wait_for('Redis in every worker', sub { $t->node->ctl_ok('--json', 'status')->{redis} });
	$stack->redis_do('FLUSHALL');
	my $after = $t->http('alice')->post('/messages/send', text_to('bob', 'flushed'))->json;
	is $_->expect('message', sub { $_[0]{message}{content} eq 'flushed' })->{message}{id}, $after->{id}, "after FLUSHALL: $_->{name}" for @bob;
	my $new = $t->ws('carol', name => 'carol 2', query => undef);
	is $late->close_code, 4001, 'and the session policy works again';
	$stack->redis_do('CLIENT', 'KILL', 'TYPE', 'pubsub');
	$_->expect('resync') for @bob, $new;
	flows_again($t, 'after a cut subscription', 'alice', 'bob', @bob);
	return;
}

for_workers('redis', {conf => {session => {policy => 'device'}}}, \&away);

subtest 'no Redis at the start' => sub {
	$stack->redis_stop('KILL');
	my $t = Tidings->start(workers => 2, start => 0);
	$t->node->start(ready => 0);
	is $t->node->admin_http->get('/readyz')->status, 503, 'alive, not ready';
	$t->befriend(qw(alice bob));
	is wait_for('the database', sub { my $r = $t->http('alice')->post('/messages/send', text_to('bob', 'x', client_msg_id => 'x')); $r->status < 300 && $r })->json->{seq}, 1, 'serves what it can';
	$stack->redis_start;
	# /readyz is one worker's word; what follows needs all of them.
	wait_for('Redis in every worker', sub { $t->node->ctl_ok('--json', 'status')->{redis} });
	is $t->node->admin_http->get('/readyz')->status, 200, 'then it is ready';
	my ($a, $b) = ($t->ws('alice'), $t->ws('bob'));
	$a->request(type => 'send', %{text_to('bob', 'now')});
	is $b->expect('message')->{message}{content}, 'now', 'and all of it later';
	$t->stop;
};

done_testing;
