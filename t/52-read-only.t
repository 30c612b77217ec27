# SPDX-License-Identifier: BSD-2-Clause
# Proves what a database that becomes read-only costs: sends are refused with 503 at once and can be repeated, reads go
# on, /readyz, tidingsctl and /metrics say so, nothing acknowledged is lost or doubled, and writing goes on by itself.
use Tidings;
use Tidings::Crowd;

my $stack = Tidings::stack();
my $user = $stack->mortal_user;
my $root = $stack->dbh;

sub read_only { my ($on) = @_; $root->do('SET GLOBAL read_only = ' . ($on ? 1 : 0)); return }
sub readyz { my ($t) = @_; return $t->node->admin_http->get('/readyz') }
sub metric { my ($t, $name) = @_; return $t->node->admin_http->get('/metrics')->body =~ /^tidings_$name (\d+)$/m ? $1 : undef }

sub idle {
	my ($t) = @_;
	$t->befriend(qw(alice bob));
	my ($alice, $bob) = ($t->ws('alice'), $t->ws('bob'));
	my $m = $alice->request(type => 'send', %{text_to('bob', 'before')})->{message};
	$bob->expect('message');
	is readyz($t)->status, 200, 'ready';
	is metric($t, 'database_read_only'), 0, 'not read-only';

	# Nobody writes: the server finds out by itself.
	read_only(1);
	my $r = wait_for('/readyz to notice', sub { my $r = readyz($t); $r->status == 503 && $r });
	like $r->json->{detail}, qr/read-only/, 'readyz says why';
	# A worker has several connections, which find out one after the other.
	wait_for('every worker', sub { !grep { !$_->{database_read_only} || $_->{database} } @{$t->node->ctl_ok('--json', 'workers')->{workers}} });
	my $status = $t->node->ctl_ok('--json', 'status');
	ok $status->{database_read_only} && !$status->{database}, 'tidingsctl status';
	like $t->node->ctl_ok('workers'), qr/read-only/, 'tidingsctl workers';
	is metric($t, 'database_read_only'), 1, 'metrics';
	is metric($t, 'database_up'), 0, 'which do not call it up';
	$t->node->log_like(qr/error.*the database is read-only/);
	for my $asked ([POST => '/messages/send', text_to('bob', 'no', client_msg_id => 'no')], [PUT => "/messages/$m->{id}/recall"], [PUT => '/friends/bob/block'], [PUT => '/users/me', {nickname => 'A'}]) {
		my ($method, $path, $json) = @$asked;
		my $answer = wait_for("$method $path", sub { my $c = $t->http('alice'); $c->send_request($method, $path, $json ? (json => $json) : ()); $c->response });
		is $answer->status . ' ' . $answer->code, '503 unavailable', "$method $path";
		like $answer->header('retry-after'), qr/^[1-9]\d*$/, 'Retry-After';
	}
	# Reading connections are made anew now and then, since a name may lead elsewhere; nobody notices.
	is_deeply [grep { $_ != 200 } map { $t->http('bob')->get("/messages/conversations/$m->{conversation_id}/messages")->status } 1 .. 20], [], 'reads go on';
	is $_->request(type => 'ping')->{type}, 'pong', "$_->{name} stays" for $alice, $bob;

	my ($exit, undef, $err) = $t->node->ctl({input => "a long password\n"}, 'user', 'add', 'carol');
	is $exit, 1, 'tidingsctl cannot write either';
	like $err, qr/^tidingsctl: the database is read-only$/m, 'and says why';

	read_only(0);
	wait_for('/readyz', sub { readyz($t)->status == 200 });
	my $ack = wait_for('a send', sub { my $e = $alice->request(type => 'send', %{text_to('bob', 'after', client_msg_id => 'no')}); $e->{type} eq 'ack' && $e });
	is $bob->expect('message')->{message}{content}, 'after', 'sends work again';
	is $ack->{message}{seq}, 2, 'and nothing was stored meanwhile';
	wait_for('every worker', sub { my $s = $t->node->ctl_ok('--json', 'status'); $s->{database} && !$s->{database_read_only} });
	return;
}

sub under_load {
	my ($t) = @_;
	my $crowd = Tidings::Crowd->new($t, 10);
	my ($switched, $next) = (0, 150);
	$crowd->run(sub { $switched >= 3 && $_[0]->acked_count >= $next }, sub {
		my ($c) = @_;
		return if $switched >= 3 || $c->acked_count < $next;
		read_only(1);
		# A send that was let through before is answered meanwhile; the others are refused.
		my $refused = sub { my $n = 0; $n += $_ for values %{$c->{refused}}; $n };
		my $before = $refused->();
		wait_for('/readyz to notice', sub { $c->collect(@{$c->{senders}}); $c->push_on($_) for @{$c->{senders}}; readyz($t)->status == 503 && $refused->() > $before });
		read_only(0);
		$switched++;
		$next = $c->acked_count + 150;
	});
	note($crowd->acked_count . " acknowledged, $crowd->{retries} repeated, refused: " . join ' ', %{$crowd->{refused}});
	is_deeply [grep { !/^(503|unavailable|overloaded)$/ } keys %{$crowd->{refused}}], [], 'nothing was refused but for a while';
	is $crowd->{without_retry_after} // 0, 0, 'with Retry-After';
	$crowd->check('after three times of read_only');
	$crowd->close;
	return;
}

for_workers('read-only', {conf => {mysql => {user => $user}}}, sub {
	my ($t) = @_;
	subtest 'nobody writes' => sub { idle($t) };
	subtest 'many write' => sub { under_load($t) };
});

# Who may write all the same does not: it is a replica.
subtest 'an administrator' => sub {
	my $t = Tidings->start(workers => 1);
	$t->befriend(qw(alice bob));
	$t->send_text('alice', 'bob', 'before');
	read_only(1);
	wait_for('/readyz to notice', sub { readyz($t)->status == 503 });
	wait_for('a send to be refused', sub { $t->http('alice')->post('/messages/send', text_to('bob', 'no'))->status == 503 });
	pass 'who may write to a replica does not';
	read_only(0);
	wait_for('a send', sub { $t->http('alice')->post('/messages/send', text_to('bob', 'after'))->status == 201 });
	$t->stop;
};

subtest 'read-only at the start' => sub {
	my $t = Tidings->start(workers => 2, start => 0, conf => {mysql => {user => $user}});
	read_only(1);
	$t->node->start(ready => 0);
	wait_for('/readyz to say why', sub { my $r = readyz($t); $r->status == 503 && $r->body =~ /read-only/ });
	read_only(0);
	wait_for('/readyz', sub { readyz($t)->status == 200 });
	pass 'ready without a restart';
	$t->befriend(qw(alice bob));
	wait_for('a send, whichever worker it meets', sub { eval { $t->send_text('alice', 'bob', 'now') } });
	$t->stop;
};

done_testing;
