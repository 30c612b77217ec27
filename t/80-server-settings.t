# SPDX-License-Identifier: BSD-2-Clause
# Proves that nothing of what is stored depends on how the database's server is set: a server whose defaults and
# init_connect are all against us is migrated, written to and read from as any other; one that cannot be used is refused
# with a line that says why.
use utf8;
use Tidings;
use Encode qw(encode_utf8);

my @hostile = (
	'--skip-character-set-client-handshake', '--character-set-server=latin1', '--collation-server=latin1_german1_ci',
	'--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,EMPTY_STRING_IS_NULL,SIMULTANEOUS_ASSIGNMENT',
	'--autocommit=0', '--transaction-isolation=SERIALIZABLE', '--transaction-read-only=1', '--completion-type=RELEASE',
	'--default-time-zone=+05:30', '--innodb-lock-wait-timeout=1000',
	# For those who are no administrators.
	q(--init-connect=SET NAMES utf8mb3; SET SESSION sql_select_limit=1, sql_safe_updates=1, unique_checks=0, foreign_key_checks=0, sql_auto_is_null=1, max_join_size=1; USE information_schema; SET autocommit=0),
);
my $stack = Tidings::stack(mariadb_options => \@hostile);
my $user = $stack->mortal_user;

sub hex_of {
	my ($t, $id) = @_;
	return ($stack->dbh($t->{database})->selectrow_array('SELECT HEX(content), HEX(extra), TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP()) FROM messages WHERE id = ?', undef, $id));
}

subtest 'a server that means ill' => sub {
	my $t = Tidings->start(workers => 2, conf => {mysql => {user => $user}, session => {policy => 'multi'}});
	pass 'migrated, and ready';
	$t->node->ctl_ok('befriend', 'alice', 'bob');
	my $bob = $t->ws('bob');
	my @texts = ("\x{1f600} emoji", "h\x{e4}\x{df}lich, \x{4e2d}\x{6587}", q(it's "quoted" `so`), 'back\\slash', "ends with \\", q(\\' OR 1=1 -- ), "'); DROP TABLE messages; -- ",
		q(\\\\'), "a || b \n\t\r x", '%_?:name', "\x{feff}\x{200b} \x{10fffd}", '', );
	my %sent;
	for my $text (@texts) {
		my $r = $t->http('alice')->post('/messages/send', text_to('bob', $text, extra => {text => $text}));
		my ($status) = $text eq '' ? 400 : 201;
		is $r->status, $status, 'sent: ' . encode_utf8($text =~ s/[\r\n]/ /gr) or next;
		next if $status != 201;
		my $m = $r->json;
		is $bob->expect('message')->{message}{content}, $text, 'pushed as it was';
		my ($content, $extra, $age) = hex_of($t, $m->{id});
		is $content, uc unpack('H*', encode_utf8($text)), 'stored as it was';
		cmp_ok abs $age, '<', 3600, 'at a time of UTC';
		$sent{$m->{id}} = $text;
	}
	my ($conversation) = $t->http('bob')->get('/messages/conversations')->json->{items}[0]{id};
	my $items = $t->http('bob')->get("/messages/conversations/$conversation/messages?limit=100")->json->{items};
	is_deeply {map { $_->{id} => $_->{content} } @$items}, \%sent, 'the history has all of it, as it was';
	is_deeply {map { $_->{id} => $_->{extra}{text} } @$items}, \%sent, 'and what is in extra';
	is $t->http('bob')->get('/messages/unread-count')->json->{unread_count}, scalar(keys %sent), 'all unread';
	is $t->http('bob')->put("/messages/conversations/$conversation/read")->json->{marked}, scalar(keys %sent), 'all marked read';
	my $name = q(O'Neil \\ "x" \x{1f600});
	is $t->http('alice')->put('/users/me', {nickname => $name})->status, 200, 'a name';
	is $t->http('bob')->get('/users/alice')->json->{nickname}, $name, 'as it was';
	$t->node->ctl_ok({input => "a long password\n"}, 'user', 'add', 'carol');
	like $t->node->ctl_ok('user', 'show', 'carol'), qr/password +set/, 'tidingsctl too';
	$t->stop;
};

subtest 'a server that cannot be used' => sub {
	$stack->mariadb_stop;
	$stack->{mariadb_options} = ['--log-bin', '--binlog-format=STATEMENT', '--server-id=1'];
	$stack->mariadb_start;
	my $t = Tidings->start(workers => 1, conf => {mysql => {user => $user}}, start => 0, migrate => 0);
	my ($status, $out, $err) = $t->node->ctl('migrate');
	is $status, 1, 'no migration';
	like $err, qr/^tidingsctl: .*binlog_format is STATEMENT/m, 'which says why';
	$stack->dbh->do('SET GLOBAL binlog_format = MIXED');
	$t->migrate;
	$stack->dbh->do('SET GLOBAL binlog_format = STATEMENT');
	$t->node->start(ready => 0);
	$t->node->log_like(qr/error.*\(writing\): the connection cannot be used: binlog_format is STATEMENT/);
	is wait_for('/readyz', sub { my $r = $t->node->admin_http->get('/readyz'); $r->status == 503 && $r })->status, 503, 'it is not ready';
	$stack->dbh->do('SET GLOBAL binlog_format = MIXED');
	wait_for('/readyz', sub { $t->node->admin_http->get('/readyz')->status == 200 });
	$t->node->ctl_ok('befriend', 'alice', 'bob');
	ok $t->send_text('alice', 'bob', 'now'), 'until the server is set right';
	$t->stop;
};

done_testing;
