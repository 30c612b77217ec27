# SPDX-License-Identifier: BSD-2-Clause
# Proves finding users (GET /users): by id and by any part of a nickname, whatever its case, width and accents; who is left
# out; that pages have each user once; that names written by others are found; and that it can be switched off.
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(workers => 1, conf => {limits => {logins_per_minute => 0, requests_per_second => 0}});
my ($anyone, $dbh) = ($t->http(undef), $t->dbh);
my %token;

sub enter { my ($user, $nickname) = @_; my $r = $anyone->post('/users/register', {user_id => $user, password => 'long enough', nickname => $nickname}); is $r->status, 201, "$user registers"; $token{$user} = $r->json->{token} }
sub escaped { my ($s) = @_; utf8::encode($s); return $s =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger }

# All pages.
sub found {
	my ($query, $limit, $as) = @_;
	my ($cursor, @ids) = '';
	do {
		my $r = $t->http($as // 'asker')->get('/users?query=' . escaped($query) . ($limit ? "&limit=$limit" : '') . ($cursor ? "&cursor=$cursor" : ''));
		is $r->status, 200, "a page" or return [$r->body];
		push @ids, map { $_->{user_id} } @{$r->json->{items}};
		$cursor = $r->json->{next_cursor};
	} while ($cursor);
	return \@ids;
}

sub rows { return $dbh->selectcol_arrayref('SELECT part FROM user_names WHERE user_id = ? ORDER BY part', undef, $_[0]) }

subtest 'by id and by nickname' => sub {
	enter(@$_) for ['ann', "Ann\x{e9} Bonny"], ['annex', undef], ['Ann2', 'capital'], ['ben', 'Joanna, anna'], ['kim', "\x{91d1}\x{6b63}\x{6069}"], ['under_x', '100% x'], ['underyx', undef];
	is_deeply found('ann'), [qw(ann annex ben)], 'ids in their order, then names; nobody twice';
	is_deeply found('ANN'), [qw(ben ann)], 'ids to the letter, names whatever their case';
	is_deeply found("anne\x{301} b"), ['ann'], 'or accents';
	is_deeply found("\x{ff22}\x{ff2f}\x{ff2e}\x{ff2e}"), ['ann'], 'or width';
	is_deeply found("\x{6b63}\x{6069}"), ['kim'], 'in any script';
	is_deeply found('r_'), [], 'an id only by its beginning';
	is_deeply found('under_'), ['under_x'], 'an underline is itself';
	is_deeply found('0%'), ['under_x'], 'and so is a percent sign';
	is_deeply found('  '), [], 'spaces alone find nobody';
	my $r = $t->http('asker')->get('/users?query=be');
	is_deeply $r->json, {items => [$t->http('asker')->get('/users/ben')->json], next_cursor => undef}, 'they come as profiles';
};

subtest 'names change' => sub {
	my $me = $t->http('ann');
	my $long = 'begin ' . 'x' x 50 . ' ending';
	is $me->put('/users/me', {nickname => $long})->status, 200, 'another name';
	is_deeply found('bonny'), [], 'is not found by the old one';
	is_deeply found($long), ['ann'], 'but by the whole new one';
	is_deeply found('begin ' . 'x' x 50 . ' andung'), [], 'of which all counts';
	is_deeply found('ending'), ['ann'], 'and by its end';
	is $me->put('/users/me', {nickname => undef})->status, 200, 'none';
	is_deeply rows('ann'), [], 'has no rows';
	my ($status, undef, $err) = $t->node->ctl({input => "long enough\n"}, 'user', 'add', 'yan', '--nickname', 'From the shell');
	is $status, 0, 'the administrator adds one' or diag($err);
	is_deeply found('the shell'), ['yan'], 'who is found at once';
};

subtest 'who is left out' => sub {
	is $t->http('ben')->put('/users/blocker/block')->status, 204, 'ben blocks somebody';
	is_deeply found('joanna', 0, 'blocker'), [], 'who does not find ben';
	is_deeply found('joanna'), ['ben'], 'as others do';
	$dbh->do("INSERT INTO friendships (user_id, friend_id, blocked) VALUES ('kim', 'friend', 1), ('friend', 'kim', 0)");
	is_deeply found('kim', 0, 'friend'), [], 'nor does a friend who is blocked';
	$dbh->do("INSERT INTO user_states (user_id, disabled, changed_at) VALUES ('yan', 1, UTC_TIMESTAMP(3))");
	is_deeply found('the shell'), [], 'one who is disabled';
};

subtest 'pages' => sub {
	$dbh->do("INSERT INTO users (id, nickname) SELECT CONCAT('many', LPAD(seq, 4, '0')), IF(seq % 2, 'Many many', 'same') FROM seq_1_to_700");
	wait_for 'names that another system wrote are found', sub { @{found('same', 100)} == 350 };
	my $all = [map { sprintf 'many%04d', $_ } 1 .. 700];
	is_deeply found('many', $_), $all, "each once, in pages of $_" for 7, 100;
	is_deeply found('man', 100), $all, 'also where names match as well';
	is_deeply [sort @{found('any', 100)}], [grep { substr($_, 4) % 2 } @$all], 'by name alone, where two of its places match';
	is_deeply [sort @{found('ME', 9)}], [grep { substr($_, 4) % 2 == 0 } @$all], 'with the same name';
	$dbh->do("INSERT INTO blocks (user_id, blocked_id) SELECT id, 'lonely' FROM users WHERE id LIKE 'many%' AND id < 'many0690'");
	is_deeply found('many', 5, 'lonely'), [@$all[689 .. 699]], 'those who are left out take no place';
};

subtest 'written by another system' => sub {
	$dbh->do("UPDATE users SET nickname = 'Renamed elsewhere' WHERE id = 'kim'");
	wait_for 'a new name is found', sub { "@{found('elsewhere')}" eq 'kim' };
	is_deeply found("\x{6b63}\x{6069}"), [], 'and the old one is not';
	$dbh->do("DELETE FROM users WHERE id = 'kim'");
	wait_for 'rows of a user who is gone go', sub { !@{rows('kim')} };
	$dbh->do("UPDATE user_names SET part = 'nonsense' WHERE user_id = 'ben' AND part = 'joanna, anna'");
	wait_for 'wrong rows are put right', sub { "@{found('joanna')}" eq 'ben' };
	is_deeply found('nonsense'), [], 'and find nobody';
};

subtest 'refused' => sub {
	my $http = $t->http('asker');
	refused $_, $http->get("/users?$_"), 400, 'invalid_argument' for '', 'query=a', 'query=' . 'x' x 65, 'query=a%00b', 'query=%ff%ff', 'query=an&limit=0', 'query=an&limit=101', 'query=an&cursor=x', 'query=an&cursor=aWFubm4K', 'query=an&cursor=bmFubg';
	refused 'without a token', $anyone->get('/users?query=an'), 401, 'token_invalid';
};

subtest 'switched off' => sub {
	$t->node->configure({%{$t->node->{conf}}, account => {directory => 'false'}})->reload;
	refused 'there is no such path', $t->http('asker')->get('/users?query=an'), 404, 'not_found';
};

$t->stop;
done_testing;
