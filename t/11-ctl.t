# SPDX-License-Identifier: BSD-2-Clause
# Proves tidingsctl: migrations that can be repeated and run from two places at once, tokens the server takes, figures
# of a running node for people and for programs, and errors that say what is wrong.
use Tidings;
use Tidings::Util qw(run slurp spew);
use JSON::PP ();
use POSIX ();
use MIME::Base64 qw(decode_base64url);

my $t = Tidings->start(workers => 2, start => 0, migrate => 0);
my $node = $t->node;

subtest 'migrate' => sub {
	my ($status, $out, $err) = $node->ctl('migrate');
	is $status, 0, 'the first time' or diag($err);
	like $out, qr/0001/, 'tells what it does';
	my $tables = sub { join ' ', sort @{$t->dbh->selectcol_arrayref('SHOW TABLES')} };
	my $before = $tables->();
	like $before, qr/\b$_\b/, "table $_" for qw(users friendships conversations messages);
	$t->befriend(qw(alice bob));
	($status, $out, $err) = $node->ctl('migrate');
	is $status, 0, 'again' or diag($err);
	unlike $out, qr/0001/, 'nothing is left to do';
	is $tables->(), $before, 'and nothing changes';
	is $t->dbh->selectrow_array('SELECT COUNT(*) FROM users'), 2, 'nor is anything lost';
	my $json = $node->ctl_ok('--json', 'migrate');
	like $json->{schema}, qr/^\d+$/, 'as JSON';

	my $both = Tidings->start(start => 0, migrate => 0);
	my @pids = map {
		my $pid = fork // die "fork: $!";
		if (!$pid) {
			my ($status) = $both->node->ctl('migrate');
			POSIX::_exit($status);
		}
		$pid;
	} 1 .. 4;
	is_deeply [map { waitpid $_, 0; $? } @pids], [0, 0, 0, 0], 'four at once on an empty database';
	is $both->dbh->selectrow_array("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '$both->{database}' AND table_name = 'messages'"), 1, 'make one schema';

	my %columns = (users => [qw(id nickname avatar_url password_hash created_at)], friendships => [qw(user_id friend_id blocked created_at)]);
	for my $table (sort keys %columns) {
		my %has = map { $_ => 1 } @{$t->dbh->selectcol_arrayref("SELECT column_name FROM information_schema.columns WHERE table_schema = '$t->{database}' AND table_name = '$table'")};
		is_deeply [grep { !$has{$_} } @{$columns{$table}}], [], "$table has the columns that neighbours fill";
	}
	is_deeply [$t->dbh->selectrow_array("SELECT nickname, avatar_url, password_hash, ABS(TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP())) < 60 FROM users WHERE id = 'alice'")],
		['Alice', undef, undef, 1], 'with their defaults, in UTC';
};

subtest 'migrate a database that is in use' => sub {
	my $old = Tidings->start(start => 0, migrate => 0);
	my $tables = sub {
		my ($dbh) = @_;
		return {map { $_ => ($dbh->selectrow_array("SHOW CREATE TABLE `$_`"))[1] =~ s/ AUTO_INCREMENT=\d+//r } @{$dbh->selectcol_arrayref('SHOW TABLES')}};
	};
	Tidings::stack()->dbh->do("CREATE DATABASE $old->{database} CHARACTER SET utf8mb4");
	my $dbh = $old->dbh;
	# As it was before blocks had a table of their own.
	$dbh->do('CREATE TABLE schema_migrations (version INT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, applied_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3))) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4');
	for my $file (sort glob Tidings::top() . '/schema/000[1-5]_*.sql') {
		$dbh->do($_) for split /;\n/, slurp($file);
		my ($name, $version) = $file =~ m{((\d+)_\w+)\.sql\z};
		$dbh->do('INSERT INTO schema_migrations (version, name) VALUES (?, ?)', undef, 0 + $version, $name);
	}
	$old->befriend(qw(ann ben cat));
	$old->set_blocked(qw(ann ben 1));
	$dbh->do("INSERT INTO friend_requests (from_user_id, to_user_id, pair, created_at) VALUES ('dan', 'ann', 'ann dan', UTC_TIMESTAMP(3))");
	my $rows = sub { return [map { $dbh->selectall_arrayref("SELECT * FROM $_ ORDER BY 1, 2") } qw(users friendships friend_requests)] };
	my $before = $rows->();
	like $old->node->ctl_ok('migrate'), qr/\Aapplied 0006_blocks\b/, 'what is missing is applied';
	is_deeply $rows->(), $before, 'the rows are as they were';
	is_deeply $tables->($dbh), $tables->($t->dbh), 'and the tables as in a new database';
	$dbh->do("DELETE FROM schema_migrations WHERE version = 6");
	is (($old->node->ctl('migrate'))[0], 0, 'one that was interrupted goes on');
	is_deeply $tables->($dbh), $tables->($t->dbh), 'to the same end';

	$old->node->start;
	my ($ann, $ben) = ($old->http('ann'), $old->http('ben'));
	is_deeply [map { $_->{user_id} } @{$ann->get('/users/blocked')->json->{items}}], ['ben'], 'a block from before counts';
	is $ben->delete('/friends/ann')->status, 204, 'the friendship ends';
	is $ben->post('/friends/requests', {user_id => 'ann'})->code, 'blocked', 'and the block stays';
	is $ann->delete('/users/ben/block')->status, 204, 'until it is lifted';
	is $ben->post('/friends/requests', {user_id => 'ann'})->status, 201, 'by the blocker';
	is $ann->put('/friends/requests/dan/accept')->status, 200, 'a request from before can be accepted';
	$old->stop;

	# Another system has made the table of friendships, with an index of its own.
	my $other = Tidings->start(start => 0, migrate => 0);
	Tidings::stack()->dbh->do("CREATE DATABASE $other->{database} CHARACTER SET utf8mb4");
	$other->dbh->do('CREATE TABLE friendships (user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, friend_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,'
		. ' blocked TINYINT NOT NULL DEFAULT 0, created_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)), PRIMARY KEY (user_id, friend_id), KEY theirs (friend_id)) ENGINE=InnoDB');
	$other->node->ctl_ok('migrate');
	is_deeply $other->dbh->selectcol_arrayref("SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = '$other->{database}' AND table_name = 'friendships' ORDER BY 1"),
		[qw(by_blocked PRIMARY theirs)], 'which needs no second one';
};

subtest 'token' => sub {
	my ($status, $out, $err) = $node->ctl('token', 'alice');
	is $status, 0, 'without a server';
	like $out, qr/\A[\w-]+\.[\w-]+\.[\w-]+\n\z/, 'a JWT and nothing else';
	my $claims = JSON::PP::decode_json(decode_base64url((split /\./, $out)[1]));
	is $claims->{sub}, 'alice', 'its user';
	cmp_ok abs($claims->{exp} - time - 3600), '<', 10, 'for jwt.lifetime';
	$claims = JSON::PP::decode_json(decode_base64url((split /\./, $node->ctl_ok('token', 'svc', '--ttl', 60, '--scope', 'notify more'))[1]));
	cmp_ok abs($claims->{exp} - time - 60), '<', 10, '--ttl';
	is $claims->{scope}, 'notify more', '--scope';
	for ([], ['al ice'], [''], ['x' x 65], ['alice', '--ttl'], ['alice', '--ttl', '0'], ['alice', '--ttl', '-5'], ['alice', '--ttl', 'soon'], ['alice', 'bob']) {
		($status, $out, $err) = $node->ctl('token', @$_);
		is $status, 2, "token @$_: a wrong command line" or diag($out);
		is $out, '', 'prints none';
		ok length $err, 'but says why';
	}
	like +($node->ctl(qw(token alice --ttl 0)))[2], qr/--ttl: must be .* from 1 to 315360000/, 'with the smallest and the largest value';
};

subtest 'befriend' => sub {
	my ($status, $out, $err) = $node->ctl('befriend', 'carol', 'dave');
	is $status, 0, 'two users' or diag($err);
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM friendships WHERE user_id IN ('carol', 'dave')"), 2, 'two rows';
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM users WHERE id IN ('carol', 'dave')"), 2, 'and two users';
	is +($node->ctl('befriend', 'dave', 'carol'))[0], 0, 'again';
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM friendships WHERE user_id IN ('carol', 'dave')"), 2, 'changes nothing';
	is +($node->ctl('befriend', @$_))[0], 2, "befriend @$_" for [], ['carol'], ['carol', 'carol'], ['carol', "d'ave"], ['carol', ''];
};

subtest 'without a server' => sub {
	for my $command (qw(status workers)) {
		my ($status, $out, $err) = $node->ctl($command);
		isnt $status, 0, $command;
		like $err, qr/not running|cannot|no server|refused|No such file/i, 'says that none runs' or diag($err);
	}
	my ($status, $out, $err) = $node->ctl('dance');
	isnt $status, 0, 'an unknown command';
	like $err, qr/dance/, 'is named';
	($status, $out, $err) = $node->ctl();
	isnt $status, 0, 'no command';
	like $err, qr/usage/i, 'shows how';
	($status, $out, $err) = run(Tidings::dir(), Tidings::Server::program('tidingsctl'), '-c', spew(Tidings::dir() . '/bad.conf', "workers = x\n"), 'status');
	isnt $status, 0, 'a bad configuration';
	like $err, qr/bad\.conf:1: /, 'with file and line';
	is +($node->ctl(@$_))[0], 2, "a wrong user id: @$_" for [qw(kick bad/user)], [qw(sessions bad/user)];
	for (qw(-h --help)) {
		($status, $out) = run(Tidings::dir(), Tidings::Server::program('tidingsctl'), $_);
		is $status, 0, $_;
		like $out, qr/-c FILE .*--json .*-V, --version .*-h, --help .*commands:/s, 'names every option';
	}
	($status, $out) = run(Tidings::dir(), Tidings::Server::program('tidingsctl'), '-V');
	is $status, 0, '-V';
};

subtest 'with a server' => sub {
	$node->start;
	my $ws = $t->ws('alice');
	$t->send_text('bob', 'alice', 'x');
	my $status = wait_for('the session to be counted, and both workers', sub { my $s = $node->ctl_ok('--json', 'status'); $s->{websockets} == 1 && $s->{workers_ready} == 2 && $s->{database} && $s->{redis} && $s });
	is $status->{workers}, 2, 'status: workers';
	is $status->{sessions}, 1, 'sessions';
	ok $status->{database} && $status->{redis}, 'database and Redis';
	is $status->{pid}, $node->pid, 'the master';
	is $status->{counters}{messages_stored}, 1, 'counters';
	my $workers = $node->ctl_ok('workers', '--json')->{workers};
	is scalar(@$workers), 2, 'workers: one each';
	is_deeply [sort { $a <=> $b } map { $_->{pid} } @$workers], [$node->worker_pids], 'their processes';
	is_deeply [map { $_->{state} } @$workers], [qw(ready ready)], 'their state';
	like $node->ctl_ok('status'), qr/^\S.*\n.*\n/, 'status for people';
	my $writers = $node->ctl_ok('workers', '--json')->{writers};
	is_deeply [map { $_->{pid} } @$writers], [$node->writer_pids], 'the writer, too';
	is_deeply [map { $_->{state} } @$writers], ['ready'], 'its state';
	is $writers->[0]{workers}, 2, 'and that both workers are connected with it';
	is scalar(my @lines = grep { /\S/ } split /\n/, $node->ctl_ok('workers')), 7, 'workers, writers and relays for people: a head and a line each';
	my $relays = wait_for('the relay', sub { my $r = $node->ctl_ok('workers', '--json')->{relays}; $r->[0]{role} eq 'leads' && $r });
	is_deeply [map { $_->{pid} } @$relays], [$node->relay_pids], 'the relay, which leads, alone';
	is_deeply [@{$relays->[0]}{qw(state rows lag_ms repairs restarts)}], ['ready', 0, 0, 0, 0], 'how it is';
	is_deeply [@{$node->ctl_ok('--json', 'status')}{qw(relay relay_role relay_rows relay_restarts)}], ['ready', 'leads', 0, 0], 'in the status, too';
	isnt +($node->ctl('status', 'more'))[0], 0, 'an argument too many';
	is $t->http('alice', token => $node->ctl_ok('token', 'carol') =~ s/\n//r)->get('/messages/conversations')->status, 200, 'and a token of tidingsctl is taken';
};

subtest 'user' => sub {
	my $ctl = sub { my ($input, @args) = @_; return $node->ctl({input => $input}, @args) };
	my ($status, $out, $err) = $ctl->("a good password\n", qw(user add zoe --nickname), " \x{e2}\x{80}\x{ae}Zo\x{c3}\x{ab}");
	is $status, 0, 'added' or diag($err);
	like $out, qr/^nickname +Zo\x{c3}\x{ab}$/m, 'and shown';
	like $out, qr/^password +set$/m, 'with a password';
	unlike $out, qr/\$y\$/, 'of which nothing is shown';
	my $http = $t->http(undef);
	is $http->post('/users/login', {user_id => 'zoe', password => 'a good password'})->status, 200, 'she can log in';
	($status, $out, $err) = $ctl->("another password\n", qw(user add zoe));
	is $status, 1, 'not twice';
	like $err, qr/zoe/, 'which is said' or diag($err);
	is +($ctl->("a new password\n", qw(user passwd zoe)))[0], 0, 'a new password';
	is_deeply [map { $http->post('/users/login', {user_id => 'zoe', password => $_})->status } 'a good password', 'a new password'], [401, 200], 'takes the place of the old one';
	my $shown = JSON::PP->new->utf8->decode(($ctl->('', qw(user show zoe --json)))[1]);
	is_deeply [@{$shown}{qw(user_id nickname avatar_url)}, $shown->{has_password} ? 1 : 0], ['zoe', "Zo\x{eb}", undef, 1], 'shown as JSON';
	like $shown->{created_at}, qr/\A\d{4}-.*Z\z/, 'with times';
	for ([1, '', 'passwd', 'nobody'], [1, '', 'show', 'nobody'], [1, "short\n", 'add', 'yan'], [1, '', 'add', 'yan'], [1, "bad \xff UTF-8\n", 'add', 'yan'], [2, "good enough\n", 'add', 'y n'],
		map { [2, "good enough\n", 'add', 'yan', '--nickname', $_] } '', 'x' x 65, "\xff", "\xe2\x80\x8b") {
		my ($expected, $input, @args) = @$_;
		($status, $out, $err) = $ctl->($input, 'user', @args);
		is $status, $expected, "refused: user @args[0, 1] with '" . $input =~ s/[^ -~]/?/gr . "'";
		like $err, qr/\Atidingsctl: ./, 'with a reason';
	}
	is +($ctl->('', 'user', @$_))[0], 2, "a usage: user @$_" for [], ['add'], ['show', 'a', 'b'], ['drop', 'zoe'];
	is +($ctl->('', qw(user show yan)))[0], 1, 'nothing of it was stored';
};

subtest 'group' => sub {
	my $id = $t->group('alice', ['bob'], name => "Walkers \x{e9}", about => 'x', settings => {join => 'open', slow_mode_seconds => 5});
	my $shown = $node->ctl_ok('group', 'show', $id, '--json');
	is_deeply [@$shown{qw(id name about avatar_url owner_id member_count last_seq dissolved_at)}], [$id, "Walkers \x{e9}", 'x', undef, 'alice', 2, 1, undef], 'shown as JSON';
	is_deeply $shown->{settings}, {join => 'open', history => 'all', send => 'all', add => 'all', slow_mode_seconds => 5}, 'with its settings';
	like $shown->{$_}, qr/\A\d{4}-.*Z\z/, $_ for qw(created_at last_message_time);
	like $node->ctl_ok('group', 'show', $id), qr/^owner_id +alice\n.*^dissolved_at +never\n.*^slow_mode_seconds +5\n/ms, 'for people';
	is_deeply [map { "$_->{user_id} $_->{role}" } @{$node->ctl_ok('group', 'members', $id, '--json')}], ['alice owner', 'bob member'], 'its members as JSON';
	like $node->ctl_ok('group', 'members', $id), qr/^USER .*^alice +owner +20\S+Z +-\n.*^bob +member/ms, 'for people';

	# Nobody's friend.
	$t->dbh->do("INSERT IGNORE INTO users (id) VALUES ('stranger')");
	my ($alice, $stranger) = ($t->ws('alice'), $t->ws('stranger'));
	my $added = $node->ctl_ok('group', 'add', $id, 'stranger', '--json');
	is_deeply [@$added{qw(conversation_id user_id)}, map { $_ ? 1 : 0 } @$added{qw(changed ok)}], [$id, 'stranger', 1, 1], 'added';
	is $stranger->expect('conversation')->{conversation}{id}, $id, 'who is told';
	my $told = $alice->expect('message')->{message};
	is_deeply [$told->{from_user_id}, @{$told->{extra}}{qw(event user_ids)}], ['system', 'added', ['stranger']], 'and so are the others';
	like $node->ctl_ok('group', 'add', $id, 'stranger'), qr/^stranger was a member already$/, 'again';
	like $node->ctl_ok('group', 'remove', $id, 'stranger'), qr/^stranger is no longer a member$/, 'removed';
	is_deeply $stranger->expect('left'), {type => 'left', conversation_id => $id, reason => 'removed'}, 'who is told';
	like $node->ctl_ok('group', 'remove', $id, 'stranger'), qr/^stranger was no member$/, 'again';
	$node->ctl_ok('group', 'add', $id, 'stranger');
	$node->ctl_ok('group', 'remove', $id, 'stranger', '--ban');
	is $stranger->expect('left', reason => 'banned')->{reason}, 'banned', 'banned';
	my ($status, $out, $err) = $node->ctl('group', 'add', $id, 'stranger');
	is $status, 1, 'who cannot be added again';
	like $err, qr/banned/, 'which is said';
	for (['remove', $id, 'alice', qr/owner/], ['add', $id, 'nobody', qr/no such user/], ['add', '17179999999', 'bob', qr/no such group/], ['show', '17179999999', qr/no group 17179999999/], ['members', '17179999999', qr/no group/]) {
		my ($like, @args) = (pop @$_, @$_);
		($status, $out, $err) = $node->ctl('group', @args);
		is $status, 1, "refused: group @args";
		like $err, $like, 'with a reason';
	}
	is +($node->ctl('group', @$_))[0], 2, "a usage: group @$_" for [], ['show'], ['show', 'x'], ['show', '7'], ['show', $id, 'more'], ['add', $id], ['add', $id, 'b b'], ['add', $id, 'bob', '--ban'], ['drop', $id], ['remove', $id, 'bob', '--bann'];
	is_deeply [$t->recount_faults], [], 'the rows are right';
	$node->stop;
	($status, $out, $err) = $node->ctl('group', 'add', $id, 'carol');
	is $status, 1, 'without a server nobody is added';
	like $err, qr/no server/, 'which is said';
	like $node->ctl_ok('group', 'show', $id), qr/^id +$id$/m, 'but a group is shown';
	$_->abort for $alice, $stranger;
};

$t->stop;
done_testing;
