# SPDX-License-Identifier: BSD-2-Clause
# Proves the events of webhooks that are about users: that each thing done to an account is told, once, with the profile as
# GET /users/{id} shows it; and that who comes online or goes is told as it is in the whole cluster in the end, whatever dies.
use Tidings;
use Tidings::Hook;
use Tidings::Spec;
use JSON::PP ();

my $hook = Tidings::Hook->new(dir => Tidings::dir(), secret => 'a secret of webhooks, with 32 bytes and more');
sub webhook { my ($path, @events) = @_; return {url => $hook->url($path), secret_file => $hook->secret_file, events => \@events} }
my $t = Tidings->start(nodes => 2, workers => 2, conf => {limits => {logins_per_minute => 0}, relay => {allow_private => 'true', webhook => {
	accounts => webhook('/accounts', 'user'), presence => webhook('/presence', 'presence')}}});
my $dbh = $t->dbh;
my ($true, $false) = (JSON::PP::true(), JSON::PP::false());

sub wait_events {
	my ($what, $path, $n) = @_;
	my @events;
	wait_for("$what: $n events", sub { @events = $hook->events($path); @events >= $n });
	return @events;
}
sub are_described {
	my ($path, $name) = @_;
	my $schemas = Tidings::Spec::closed_schemas();
	my $described = Tidings::Spec::deref($schemas->data, {'$ref' => '#/openapi/components/schemas/HookEvent'});
	is_deeply [map { $schemas->validate($_, $described) } $hook->events($path)], [], $name;
	return;
}

$t->befriend(qw(ann ben cat));
wait_for('the webhooks to be known', sub { 2 == $dbh->selectrow_array('SELECT COUNT(*) FROM hooks') });

# ---- accounts ----

my $n = 0;
# The next event is of that user, about that, and shows them as they are.
sub is_told {
	my ($action, $user, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @e = wait_events($name, '/accounts', ++$n);
	my $r = $t->http('asker')->get("/users/$user");
	my $profile = $r->status == 200 ? $r->json : {user_id => $user, nickname => undef, avatar_url => undef, created_at => undef};
	is_deeply [$e[$n - 1]{event}, $e[$n - 1]{data}], ['user', {action => $action, map { $_ => $profile->{$_} } qw(user_id nickname avatar_url created_at)}], $name
		or diag explain $e[$n - 1];
	return;
}

subtest 'accounts' => sub {
	my ($anyone, $ops) = ($t->http(undef), $t->node(1)->admin_http);
	$ops->{token} = $t->token('ops', scope => 'admin');
	my $r = $anyone->post('/users/register', {user_id => 'eve', password => 'correct horse', nickname => 'Eve'});
	is $r->status, 201, 'eve registers' or diag($r->body);
	is_told created => 'eve', 'an account that was made is told';
	my $eve = $t->http('eve', token => $r->json->{token});
	is $eve->put('/users/me', {nickname => "Ev\x{e9}"})->status, 200, 'she changes her name';
	is_told updated => 'eve', 'a name that was changed';
	is $eve->put('/users/me', {nickname => "Ev\x{e9}"})->status, 200, 'to the same again';
	is $eve->put('/users/me/password', {old_password => 'correct horse', new_password => 'another horse'})->status, 204, 'and her password';
	is $eve->put('/users/me', {avatar_url => 'https://pictures.example/eve.png'})->status, 200, 'and her picture';
	is_told updated => 'eve', 'a picture that was changed, but neither what stays as it is nor a password';

	is $ops->post('/admin/users', {user_id => 'dora', nickname => 'Dora'})->status, 201, 'an administrator makes dora';
	is_told created => 'dora', 'is told';
	is $ops->put('/admin/users/dora', {disabled => $true})->status, 200, 'disables her' for 1, 2;
	is_told disabled => 'dora', 'is told';
	is $ops->put('/admin/users/dora', {revoke => $true})->status, 200, 'revokes her tokens';
	is $ops->put('/admin/users/dora', {disabled => $false})->status, 200, 'enables her' for 1, 2;
	is_told enabled => 'dora', 'is told, but nothing twice, nor of tokens';
	is $ops->put('/admin/users/dora', {nickname => 'D.', disabled => $true})->status, 200, 'does two things';
	is_told updated => 'dora', 'the one is told';
	is_told disabled => 'dora', 'then the other';
	is $ops->put('/admin/users/elsewhere', {disabled => $true})->status, 200, 'disables one who has no account here';
	is_told disabled => 'elsewhere', 'is told, without a profile';

	is +($t->node->ctl({input => "a good password\n"}, qw(user add fay --nickname Fay)))[0], 0, 'tidingsctl makes fay';
	is_told created => 'fay', 'is told';
	for my $done (qw(disable enable)) {
		is +($t->node->ctl('user', $done, 'fay'))[0], 0, "tidingsctl user $done";
		is_told "${done}d", 'fay', 'is told';
	}
	is +($t->node->ctl({input => "a new password\n"}, qw(user passwd fay)))[0], 0, 'tidingsctl user passwd';

	my $line = JSON::PP->new->canonical->utf8;
	my @people = map { {type => 'user', user_id => "p$_", nickname => "P $_"} } 1 .. 3;
	my $import = sub { return $ops->request('POST', '/admin/import', headers => ['Content-Type', 'application/x-ndjson'], body => join "\n", map { $line->encode($_) } @_) };
	is $import->(@people)->json->{imported}{user}, 3, 'three are imported';
	my @e = wait_events('what was imported', '/accounts', $n += 3);
	is_deeply [sort map { "$_->{data}{action} $_->{data}{user_id} $_->{data}{nickname}" } @e[-3 .. -1]], [map { "created p$_ P $_" } 1 .. 3], 'each is told';
	is $import->(@people, {type => 'user', user_id => 'p4'})->json->{imported}{user}, 1, 'again with one more';
	is_told created => 'p4', 'the one is told';

	is $eve->request('DELETE', '/users/me', json => {password => 'another horse'}, token => $anyone->post('/users/login', {user_id => 'eve', password => 'another horse'})->json->{token})->status, 204, 'eve deletes her account';
	is_told erased => 'eve', 'is told, and nothing of her';
	is $ops->delete('/admin/users/dora')->status, 204, 'an administrator erases dora';
	is_told erased => 'dora', 'is told';
	is +($t->node->ctl(qw(user erase fay)))[0], 0, 'tidingsctl erases fay';
	is_told erased => 'fay', 'is told';
	is $ops->post('/admin/users', {user_id => 'last'})->status, 201, 'one more is made';
	is_told created => 'last', 'nothing else was told';
	are_described '/accounts', 'all are as doc/openapi.yaml says';
};

# What was true when it was done, is not shown of one who is erased before it is sent.
subtest 'a webhook that was down' => sub {
	$hook->answer('500', '/accounts');
	my $r = $t->http(undef)->post('/users/register', {user_id => 'gil', password => 'correct horse', nickname => 'a name that is to go'});
	is $r->status, 201, 'gil registers';
	wait_for('it to be tried', sub { grep { $_->{body} =~ /gil/ } $hook->requests('/accounts', '500') });
	is $t->http('gil', token => $r->json->{token})->request('DELETE', '/users/me', json => {password => 'correct horse'})->status, 204, 'and goes';
	$_->clock(61) for $t->nodes;
	$hook->answer(200, '/accounts');
	my @e = wait_for('both', sub { $_->clock(1) for $t->nodes; my @e = $hook->events('/accounts'); @e >= $n + 2 && \@e });
	is_deeply [map { [@{$_->{data}}{qw(action user_id nickname)}] } @{$e[0]}[$n, $n + 1]], [['created', 'gil', undef], ['erased', 'gil', undef]], 'both are told, in order, without the name';
};

# ---- presence ----

sub told { my ($user) = @_; return map { $_->{data}{online} ? 1 : 0 } grep { $_->{data}{user_id} eq $user } $hook->events('/presence') }
sub told_last { my ($user) = @_; return (told($user))[-1] // 0 }
# Tokens that are good for longer than the clocks are moved.
sub come { my ($user, $node) = @_; return $t->ws($user, node => $node, claims => {exp => time + 1_000_000}) }
# The last word of each is that.
sub in_the_end {
	my ($what, %want) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %got;
	eval { wait_for($what, sub {
		my %last = map { $_->{data}{user_id} => $_->{data}{online} ? 1 : 0 } $hook->events('/presence');
		%got = map { $_ => $last{$_} // 0 } keys %want;
		return !grep { $got{$_} != $want{$_} } keys %want;
	}) };
	is_deeply \%got, \%want, $what;
	return;
}

subtest 'who comes and who goes' => sub {
	my $ws = come('ben', 0);
	my ($e) = wait_events('ben', '/presence', 1);
	is_deeply [$e->{event}, $e->{data}{user_id}, $e->{data}{online}], ['presence', 'ben', $true], 'who comes is told';
	my $other = come('ben', 1);
	$ws->close;
	my $cat = come('cat', 0);
	in_the_end('another', cat => 1);
	$other->close;
	in_the_end('who has gone', ben => 0);
	is_deeply [told('ben')], [1, 0], 'not before the last session has gone, on whichever node';
	my @ends = map { $_->{data}{last_seen} } grep { $_->{data}{user_id} eq 'ben' } $hook->events('/presence');
	cmp_ok $ends[0], 'lt', $ends[1], 'and since when';
	for my $round (1 .. 3) {
		$cat->close;
		$cat = come('cat', $round % 2);
	}
	my $ann = come('ann', 0);
	in_the_end('another', ann => 1);
	$ann->close;
	in_the_end('who went later', ann => 0);
	is_deeply [told('cat')], [1], 'a short reconnect is not told';
	is told_last('cat'), 1, 'and cat is online';
	$cat->close;
	in_the_end('she has gone, too', cat => 0);
	are_described '/presence', 'all are as doc/openapi.yaml says';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM presence_told'), 0, 'and nothing is left of it';
};

my @crowd = map { "m$_" } 1 .. 30;
subtest 'a worker dies with its sessions' => sub {
	my @ws = map { come($_, 0) } @crowd;
	my @elsewhere = map { come($_, 1) } @crowd[0 .. 4];
	in_the_end('they come', map { $_ => 1 } @crowd);
	$t->node->allow_deaths(2);
	kill KILL => $t->node->worker_pids;
	in_the_end('those are told who have no other session', (map { $_ => 1 } @crowd[0 .. 4]), map { $_ => 0 } @crowd[5 .. $#crowd]);
	is_deeply [map { told($_) } @crowd[0 .. 4]], [(1) x 5], 'the others are not';
	$_->close for @elsewhere;
	in_the_end('they go, too', map { $_ => 0 } @crowd);
};

subtest 'the relay that leads dies' => sub {
	my %online;
	wait_for('new workers', sub { $t->node->all_ready });
	my @early = map { come($_, 1) } @crowd[0 .. 9];
	in_the_end('some come', map { $_ => 1 } @crowd[0 .. 9]);
	$_->allow_deaths(1) for $t->nodes;
	kill KILL => map { $_->relay_pids } $t->nodes;
	my @late = map { come($_, 0) } @crowd[10 .. 19];
	$_->close for @early[0 .. 4];
	$dbh->do('UPDATE relay_leases SET ends_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND');
	in_the_end('what happened meanwhile is told', (map { $_ => 0 } @crowd[0 .. 4, 20 .. 29]), map { $_ => 1 } @crowd[5 .. 19]);
	$_->close for @early[5 .. 9], @late;
	in_the_end('and they go', map { $_ => 0 } @crowd);
};

# Each of them leaves one node and comes to the other, or the other way round, at the same time.
subtest 'from node to node' => sub {
	my (@ws, %want);
	for my $round (1 .. 6) {
		for my $i (0 .. 9) {
			my $stays = ($round + $i) % 3 != 0;
			my $next = $stays && come($crowd[$i], ($round + $i) % 2);
			$ws[$i]->close if $ws[$i];
			$ws[$i] = $next;
			$want{$crowd[$i]} = $stays ? 1 : 0;
		}
	}
	in_the_end('in the end all is true', %want);
	$_ && $_->close for @ws;
	in_the_end('and all go', map { $_ => 0 } @crowd);
};

subtest 'Redis is away' => sub {
	my @ws = map { come($crowd[$_], $_ % 2) } 0 .. 9;
	in_the_end('some come', map { $_ => 1 } @crowd[0 .. 9]);
	my %before = map { $_ => scalar told($_) } @crowd[5 .. 9];
	$t->{stack}->redis_stop('KILL');
	wait_for('it to be noticed', sub { !grep { $_->admin_http->get('/readyz')->status == 200 } $t->nodes });
	$_->close for @ws[0 .. 4];
	my @late = map { come($crowd[$_], $_ % 2) } 10 .. 14;
	$t->{stack}->redis_start;
	in_the_end('what happened meanwhile is told', (map { $_ => 0 } @crowd[0 .. 4]), map { $_ => 1 } @crowd[5 .. 14]);
	is_deeply {map { $_ => scalar told($_) } @crowd[5 .. 9]}, \%before, 'who stayed was not missed';
	$_->close for @ws[5 .. 9], @late;
	in_the_end('and all go', map { $_ => 0 } @crowd);
};

subtest 'where nobody wants it' => sub {
	my $ws = come('ben', 0);
	in_the_end('ben comes', ben => 1);
	$_->configure({%{$_->{conf}}, relay => {allow_private => 'true', webhook => {accounts => webhook('/accounts', 'user')}}})->reload for $t->nodes;
	wait_for('what was told to be forgotten', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM presence_told') });
	my $rows = sub { return $dbh->selectrow_array(q{SELECT COUNT(*) FROM outbox WHERE LEFT(items, 1) IN ('c', 'w')}) };
	my $before = $rows->();
	cmp_ok $before, '>', 0, 'what was told is there';
	my $n = $hook->events('/presence');
	$_->close for $ws, come('cat', 0);
	is $t->http(undef)->post('/users/register', {user_id => 'hal', password => 'correct horse'})->status, 201, 'hal registers';
	wait_for('that to be told', sub { grep { $_->{data}{user_id} eq 'hal' } $hook->events('/accounts') });
	is $rows->(), $before, 'who comes or goes costs no row';
	is scalar $hook->events('/presence'), $n, 'and nothing is told';
};

done_testing;
