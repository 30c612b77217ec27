# SPDX-License-Identifier: BSD-2-Clause
# Proves accounts (contract, section 5): registering, logging in, profiles, names, what is refused, that guessing is slow and
# tells nothing, that hashing a password holds up nobody else, and that without accounts the paths are not there.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 2, conf => {limits => {logins_per_minute => 0}});
my $anyone = $t->http(undef);
my $SESSION = {user => $PROFILE, token => 'string', expires_at => 'time', refresh_token => 'string', refresh_expires_at => 'time', login_id => 'id'};

sub hashed { my ($n) = $t->node->admin_http->get('/metrics')->body =~ /^tidings_passwords_hashed_total (\d+)$/m; return $n }

subtest 'register and log in' => sub {
	my $r = $anyone->post('/users/register', {user_id => 'ann', password => 'correct horse', nickname => "An\x{ef}s \x{1F600}"});
	is $r->status, 201, 'registered' or diag($r->body);
	is_shape $r->json, $SESSION, 'with a token';
	is $r->json->{user}{nickname}, "An\x{ef}s \x{1F600}", 'and the nickname';
	is $r->json->{user}{user_id}, 'ann', 'of that user';
	my $me = $anyone->get('/users/me', token => $r->json->{token});
	is_deeply $me->json, $r->json->{user}, 'the token is theirs';
	$r = $anyone->post('/users/login', {user_id => 'ann', password => 'correct horse'});
	is $r->status, 200, 'logged in';
	is_shape $r->json, $SESSION, 'the same answer';
	is_deeply $r->json->{user}, $me->json, 'the same user';
	ok $t->ws('ann', token => $r->json->{token})->session_id, 'and the token opens a WebSocket';
	is $anyone->post('/users/register', {user_id => 'ben', password => "p\x{e4}ssword \x{1F511}"})->json->{user}{nickname}, undef, 'a nickname is optional';
	is $anyone->post('/users/login', {user_id => 'ben', password => "p\x{e4}ssword \x{1F511}"})->status, 200, 'a password may be any text';
	my ($hash) = $t->dbh->selectrow_array("SELECT password_hash FROM users WHERE id = 'ben'");
	like $hash, qr/\A\$y\$/, 'kept as a yescrypt hash';
};

subtest 'refused' => sub {
	refused 'a taken id', $anyone->post('/users/register', {user_id => 'ann', password => 'another one'}), 409, 'conflict', qr/user_id/;
	is $anyone->post('/users/login', {user_id => 'ann', password => 'another one'})->status, 401, 'whose password is not changed by it';
	$t->befriend(qw(outside other));
	refused 'a user whom another system made', $anyone->post('/users/register', {user_id => 'outside', password => 'take it over'}), 409, 'conflict';
	my @bad = (
		[{password => 'long enough'}, qr/user_id/], [{user_id => 'x y', password => 'long enough'}, qr/user_id/], [{user_id => 'x' x 65, password => 'long enough'}, qr/user_id/],
		[{user_id => 7, password => 'long enough'}, qr/user_id/], [{user_id => 'x'}, qr/password/], [{user_id => 'x', password => 'short'}, qr/password/],
		[{user_id => 'x', password => 'p' x 257}, qr/password/], [{user_id => 'x', password => "nul\0 in it"}, qr/password/], [{user_id => 'x', password => ['long enough']}, qr/password/],
		[{user_id => 'x', password => 'long enough', nickname => ''}, qr/nickname/], [{user_id => 'x', password => 'long enough', nickname => 'n' x 65}, qr/nickname/],
		[{user_id => 'x', password => 'long enough', nickname => "two\nlines"}, qr/nickname/], [{user_id => 'x', password => 'long enough', nickname => 3}, qr/nickname/],
		(map { [{user_id => $_, password => 'long enough'}, qr/user_id.* but not \. or \.\./] } '.', '..'),
		map { [{user_id => $_, password => 'long enough'}, qr/reserved/] } qw(me register login refresh logout blocked requests system),
	);
	for (@bad) {
		my ($body, $detail) = @$_;
		refused(substr(JSON::PP->new->canonical->ascii->encode($body), 0, 70), $anyone->post('/users/register', $body), 400, 'invalid_argument', $detail);
	}
	refused 'invalid UTF-8', $anyone->request('POST', '/users/register', body => qq({"user_id":"x","password":"long enough","nickname":"\xff"})), 400, 'malformed_json';
	refused 'no body', $anyone->post('/users/login', undef, headers => ['Content-Type', 'application/json']), 400, 'malformed_json';
	refused 'another type', $anyone->request('POST', '/users/login', body => 'user_id=ann', headers => ['Content-Type', 'text/plain']), 415, 'unsupported_media_type';
	my $r = $anyone->get('/users/login');
	refused 'another method', $r, 405, 'method_not_allowed';
	is $r->header('allow'), 'POST', 'with Allow';
	is $anyone->post('/users/register', {user_id => 'x', password => 'long enough'})->status, 201, 'after all that x is still free';
};

subtest 'an id that somebody has had' => sub {
	my $dbh = $t->dbh;
	# Two users of another system, who have no rows.
	$dbh->do("INSERT INTO friendships (user_id, friend_id) VALUES ('old1', 'old2'), ('old2', 'old1')");
	is $t->http('old1')->post('/messages/send', text_to('old2', 'a secret'))->status, 201, 'two without accounts write';
	refused 'one who comes cannot read it', $anyone->post('/users/register', {user_id => 'old2', password => 'long enough'}), 409, 'conflict', qr/user_id/;
	$dbh->do("DELETE FROM friendships WHERE user_id LIKE 'old_'");
	refused "nor after the friendship, as $_", $anyone->post('/users/register', {user_id => $_, password => 'long enough'}), 409, 'conflict' for qw(old1 old2);
	my %places = (
		friendships => [[qw(user_id friend_id)]],
		conversations => [[qw(user1_id user2_id)], sort_time => 'UTC_TIMESTAMP(3)', created_at => 'UTC_TIMESTAMP(3)'],
		friend_requests => [[qw(from_user_id to_user_id)], pair => "'some pair'", created_at => 'UTC_TIMESTAMP(3)'],
		friend_declines => [[qw(from_user_id to_user_id)], declined_at => 'UTC_TIMESTAMP(3)'],
		friend_request_limits => [[qw(user_id)], full_at => 'UTC_TIMESTAMP(3)'],
		notifications => [[qw(user_id actor_id)], id => 7, kind => "'moment_comment'", created_at => 'UTC_TIMESTAMP(3)'],
		blocks => [[qw(user_id blocked_id)]],
	);
	for my $table (sort keys %places) {
		my ($columns, %more) = @{$places{$table}};
		for my $column (@$columns) {
			my %row = (%more, map { $_ => $_ eq $column ? "'occurs'" : "'other'" } @$columns);
			$dbh->do("INSERT INTO $table (" . join(', ', sort keys %row) . ') VALUES (' . join(', ', map { $row{$_} } sort keys %row) . ')');
			my $r = $anyone->post('/users/register', {user_id => 'occurs', password => 'long enough'});
			# Or anybody could keep an id from its owner.
			is $r->status, $column eq 'blocked_id' ? 201 : 409, "$table.$column";
			$dbh->do("DELETE FROM $table WHERE $column = 'occurs'");
		}
	}
	my ($status, undef, $err) = $t->node->ctl({input => "long enough\n"}, 'user', 'add', 'old2');
	is $status, 0, 'the administrator may give it to its owner' or diag($err);
	is $anyone->post('/users/login', {user_id => 'old2', password => 'long enough'})->status, 200, 'who logs in';
};

subtest 'registration is closed' => sub {
	my $closed = Tidings->start(workers => 1, conf => {account => {registration => 'closed'}});
	my $http = $closed->http(undef);
	refused 'nobody can register', $http->post('/users/register', {user_id => 'zoe', password => 'long enough'}), 403, 'forbidden', qr/account\.registration/;
	refused 'bad fields come first', $http->post('/users/register', {user_id => 'zoe'}), 400, 'invalid_argument', qr/password/;
	is $closed->dbh->selectrow_array('SELECT COUNT(*) FROM users'), 0, 'no row is made';
	refused 'logging in goes on', $http->post('/users/login', {user_id => 'zoe', password => 'long enough'}), 401, 'credentials_invalid';
	$closed->node->configure({%{$closed->node->{conf}}, account => {registration => 'open'}})->reload;
	is $closed->http(undef)->post('/users/register', {user_id => 'zoe', password => 'long enough'})->status, 201, 'until a reload opens it';
	$closed->stop;
};

subtest 'nothing is told apart' => sub {
	my @answers = map { $anyone->post('/users/login', $_) } {user_id => 'ann', password => 'wrong password'}, {user_id => 'nobody', password => 'wrong password'},
		{user_id => 'outside', password => 'wrong password'}, {user_id => 'ann', password => ''};
	refused 'a wrong password, an unknown user, one without a password', $_, 401, 'credentials_invalid' for @answers;
	my %texts = map { ($_->body =~ s/"request_id":"[^"]*"//r) => 1 } @answers;
	is scalar keys %texts, 1, 'to the letter the same answer';
	# As long for each: a password is hashed, whether there is one to compare it with or not.
	for my $user (qw(ann nobody outside)) {
		my $before = hashed();
		$anyone->post('/users/login', {user_id => $user, password => 'wrong password'});
		is hashed() - $before, 1, "$user costs one hash";
	}
};

subtest 'a hash of another kind, from another system' => sub {
	$t->dbh->do('INSERT INTO users (id, password_hash) VALUES (?, ?)', undef, 'moved', crypt('from elsewhere', '$6$saltsalt$'));
	is $anyone->post('/users/login', {user_id => 'moved', password => 'from elsewhere'})->status, 200, 'is good';
	for my $hash ('', '*', 'plain text', '$y$', '$9$x$y') {
		$t->dbh->do('REPLACE INTO users (id, password_hash) VALUES (?, ?)', undef, 'broken', $hash);
		refused "a hash that is none: '$hash'", $anyone->post('/users/login', {user_id => 'broken', password => 'anything'}), 401, 'credentials_invalid';
	}
};

subtest 'hashing holds up nobody' => sub {
	my @guessers = map { $t->http(undef) } 1 .. 12;
	$_->send_request('POST', '/users/login', json => {user_id => 'ann', password => 'wrong password'}) for @guessers;
	my @pings = map { my $ws = $_; map { $ws->request(type => 'ping')->{type} } 1 .. 50 } map { $t->ws($_) } qw(ann ben);
	my @waiting = grep { my $bits = ''; vec($bits, fileno $_->socket, 1) = 1; !select $bits, undef, undef, 0 } @guessers;
	is scalar(grep { $_ eq 'pong' } @pings), 100, 'a hundred pings are answered';
	cmp_ok scalar @waiting, '>', 0, 'while passwords are still being hashed';
	is $_->response->status, 401, 'which comes to its end, too' for @guessers;
};

subtest 'profiles' => sub {
	my $ann = $t->api('ann');
	my $r = $ann->put('/users/me', {nickname => 'Ann', avatar_url => 'https://cdn.example/ann.png'});
	is $r->status, 200, 'changed';
	is_shape $r->json, $PROFILE, 'answers the profile';
	is_deeply [@{$r->json}{qw(nickname avatar_url)}], ['Ann', 'https://cdn.example/ann.png'], 'as it is now';
	is_deeply $t->api('ben')->get('/users/ann')->json, $r->json, 'and everybody sees it';
	is_deeply [@{$ann->put('/users/me', {nickname => 'A.'})->json}{qw(nickname avatar_url)}], ['A.', 'https://cdn.example/ann.png'], 'what is not named stays';
	is_deeply [@{$ann->put('/users/me', {avatar_url => undef})->json}{qw(nickname avatar_url)}], ['A.', undef], 'null clears';
	is_deeply [@{$ann->put('/users/me', {})->json}{qw(nickname avatar_url)}], ['A.', undef], 'nothing named, nothing changed';
	is $anyone->post('/users/login', {user_id => 'ann', password => 'correct horse'})->status, 200, 'and the password is untouched';
	my $ghost = $t->api('ghost');
	is_deeply $ghost->get('/users/me')->json, {user_id => 'ghost', nickname => undef, avatar_url => undef, created_at => undef}, 'a user without a row has a null profile';
	refused 'but nobody else finds one', $ann->get('/users/ghost'), 404, 'not_found';
	is_shape $ghost->put('/users/me', {nickname => 'Boo'})->json, $PROFILE, 'until they make one';
	is $ann->get('/users/ghost')->json->{nickname}, 'Boo', 'which is seen';
	refused "nickname: $_->[0]", $ann->put('/users/me', {nickname => $_->[1]}), 400, 'invalid_argument', qr/nickname/ for ['empty', ''], ['too long', "\x{e9}" x 65], ['control', "a\x{7}"], ['control of two bytes', "a\x{9b}b"], ['line separator', "a\x{2028}b"], ['noncharacter', "a\x{fffe}b"], ['no string', {}];
	refused "avatar_url: $_", $ann->put('/users/me', {avatar_url => $_}), 400, 'invalid_argument', qr/avatar_url/ for 'javascript:alert(1)', 'https://', 'https://x/' . 'y' x 2040, 'https://x/ y', 17;
	is $ann->put('/users/me', {nickname => "\x{4F60}" x 64})->status, 200, '64 characters of three bytes';
	my %shown = ("  Ann\x{3000}" => 'Ann', "photo\x{202e}gpj.exe" => 'photogpj.exe', "\x{2067}\x{5d3}\x{5df}\x{2069}\x{200f}" => "\x{5d3}\x{5df}", "\x{1F468}\x{200d}\x{1F469}" => "\x{1F468}\x{200d}\x{1F469}");
	for (sort keys %shown) {
		is $ann->put('/users/me', {nickname => $_})->json->{nickname}, $shown{$_}, 'a name is kept as it may be shown';
		is $t->dbh->selectrow_array("SELECT nickname FROM users WHERE id = 'ann'"), $shown{$_}, 'in the database, too';
	}
	for (' ', "\x{200b}\x{200d}", "\x{301}", "\x{3164}", "\x{202e}", "\x{2800}\x{a0}") {
		refused 'a name of which nothing is seen', $ann->put('/users/me', {nickname => $_}), 400, 'invalid_argument', qr/nickname/;
		refused 'nor to register with', $anyone->post('/users/register', {user_id => 'unseen', password => 'long enough', nickname => $_}), 400, 'invalid_argument', qr/nickname/;
	}
	is $anyone->post('/users/register', {user_id => 'seen', password => 'long enough', nickname => " \x{200e}Seen "})->json->{user}{nickname}, 'Seen', 'registering cleans it likewise';
	my %other = ("a\x{202e}b " => 'ab', "a\x{9b}b\x{2028}" => 'ab', "\x{200b}" => undef, '' => undef);
	for (sort keys %other) {
		$t->dbh->do("UPDATE users SET nickname = ? WHERE id = 'ann'", undef, $_);
		is $ann->get('/users/me')->json->{nickname}, $other{$_}, 'one that another system wrote is shown so, too';
	}
	refused 'without a token', $t->http(undef)->get('/users/me'), 401, 'token_invalid';
	refused 'no user id', $ann->get('/users/a%20b'), 404, 'not_found';
	is $ann->get('/users/%61nn')->json->{user_id}, 'ann', 'a percent-encoded id';
};

subtest 'who connects without an account' => sub {
	$t->ws($_)->close->close_code for qw(newcomer ann);
	wait_for('those who have one to be noted', sub { $t->dbh->selectrow_array("SELECT last_seen FROM users WHERE id = 'ann'") });
	refused 'is not given one', $t->api('ann')->get('/users/newcomer'), 404, 'not_found';
	is $t->http(undef)->post('/users/register', {user_id => 'newcomer', password => 'long enough'})->status, 201, 'and may register';
};

subtest 'tries are counted' => sub {
	my $strict = Tidings->start(workers => 2, conf => {limits => {logins_per_minute => 6}});
	my @http = map { $strict->http(undef) } 1 .. 2;
	my @status = map { $http[$_ % 2]->post('/users/login', {user_id => "u$_", password => 'wrong password'})->status } 1 .. 6;
	is_deeply \@status, [(401) x 6], 'six in a minute from one address';
	my $r = $http[0]->post('/users/register', {user_id => 'late', password => 'long enough'});
	refused 'the seventh, on any worker, for any user, of either kind', $r, 429, 'rate_limited';
	like $r->header('retry-after'), qr/\A\d+\z/, 'says when';
	$strict->node->clock(60);
	my $at = sub { my ($host, $path, $user, $password) = @_; return Tidings::HTTP->new(address => $strict->node->address, from => $host)->post($path, {user_id => $user, password => $password}) };
	is $at->('127.0.2.1', '/users/register', 'victim', 'correct horse')->status, 201, 'somebody registers';
	is $http[0]->post('/users/login', {user_id => 'victim', password => 'wrong password'})->status, 401, 'a minute later: again' for 1 .. 6;
	# Ten addresses use up what this user may fail.
	my $guess = sub { my ($host, $user) = @_; return $at->($host, '/users/login', $user, 'wrong password') };
	my %by_status;
	$by_status{$guess->("127.0.1.$_", 'victim')->status}++ for map { ($_) x 6 } 1 .. 9;
	is_deeply \%by_status, {401 => 54}, 'and from nine more addresses';
	# Some come back while the others are made. From then on an address may fail once.
	my ($refused, $tries) = (undef, 0);
	for my $host (map { ("127.0.1.$_") x 2 } 10 .. 40) {
		last if ($refused = $guess->($host, 'victim'))->status == 429;
		$tries++;
	}
	refused 'then this user is guessed at too often', $refused, 429, 'rate_limited';
	note("after $tries more");
	is $at->('127.0.1.42', '/users/login', 'victim', 'correct horse')->status, 200, 'but a right password from elsewhere is heard';
	is $at->('127.0.1.42', '/users/login', 'victim', 'correct horse')->status, 200, 'and again';
	is $guess->('127.0.1.43', 'another')->status, 401, 'nor is another user concerned';
	# Without a body: the rate is looked at first.
	$guess->('127.0.1.44', "u$_") for 1 .. 6;
	my $early = Tidings::HTTP->new(address => $strict->node->address, from => '127.0.1.44');
	$early->raw("POST /users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n");
	refused 'one too many is refused before its body', $early->response, 429, 'rate_limited';
	$strict->stop;
};

subtest 'without accounts' => sub {
	my $plain = Tidings->start(workers => 1, conf => {accounts => 'false'});
	my $http = $plain->http(undef);
	refused "$_ is not there", $http->post($_, {user_id => 'ann', password => 'correct horse'}), 404, 'not_found' for qw(/users/register /users/login);
	refused "nor by $_", $http->request($_, '/users/login'), 404, 'not_found' for qw(GET PUT DELETE);
	is $plain->api('ann')->get('/users/me')->status, 200, 'profiles are';
	$plain->ws('ann')->close->close_code;
	$plain->dbh->do("INSERT INTO users (id) VALUES ('known')");
	$plain->ws('known')->close->close_code;
	wait_for('last_seen of a known user', sub { $plain->dbh->selectrow_array("SELECT last_seen FROM users WHERE id = 'known'") });
	is $plain->dbh->selectrow_array("SELECT COUNT(*) FROM users WHERE id = 'ann'"), 0, 'no row is made in a table that another system keeps';

	# Nor is it only ours to say what may be written there.
	my @users = map { "user$_" } 1 .. 12;
	$plain->befriend(@users);
	$plain->dbh->do("CREATE TRIGGER kept BEFORE UPDATE ON users FOR EACH ROW IF NEW.id = 'user7' THEN SIGNAL SQLSTATE '45000'; END IF");
	my @sessions = map { $plain->ws($_) } @users;
	$_->close for @sessions;
	wait_for('the others to be noted', sub { $plain->dbh->selectrow_array("SELECT COUNT(*) FROM users WHERE last_seen IS NOT NULL AND id LIKE 'user%'") == 11 });
	ok $plain->node->log_like(qr/last_seen of user7 cannot be written/), 'a row that may not be written holds up no other one';
	my $dbh = $plain->dbh;
	my $seen = sub { $dbh->selectrow_array("SELECT last_seen FROM users WHERE id = 'known'") };
	$dbh->do("UPDATE users SET last_seen = '2001-01-01' WHERE id = 'known'");
	my $known = $plain->ws('known');
	ok $plain->node->stop, 'a stop after that';
	unlike $seen->(), qr/^2001/, 'waits for those who were here until then';

	# Nor is a refusal of all of it the fault of one of them.
	$dbh->do('DROP TRIGGER kept');
	$dbh->do('UPDATE users SET last_seen = NULL');
	$dbh->do("CREATE TRIGGER kept BEFORE UPDATE ON users FOR EACH ROW SIGNAL SQLSTATE 'HY000'");
	$plain->node->start;
	$plain->ws('known')->close->close_code;
	$plain->node->log_like(qr/in a transaction: last seen/);
	$dbh->do('DROP TRIGGER kept');
	ok wait_for('last_seen', $seen), 'what was refused for another reason is written later';
	$plain->stop;
};

subtest 'the database is away' => sub {
	Tidings::stack()->mariadb_stop('KILL');
	refused 'register', $anyone->post('/users/register', {user_id => 'zoe', password => 'long enough'}), 503, 'unavailable';
	refused 'login', $anyone->post('/users/login', {user_id => 'ann', password => 'correct horse'}), 503, 'unavailable';
	Tidings::stack()->mariadb_start;
	wait_for('a login, whichever worker it meets', sub { $t->http(undef)->post('/users/login', {user_id => 'ann', password => 'correct horse'})->status == 200 });
	pass 'and back';
};

$t->stop;
done_testing;
