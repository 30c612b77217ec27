# SPDX-License-Identifier: BSD-2-Clause
# Proves logins (contract, section 5b): what renews them and for how long, that a spent refresh token ends its login, the list,
# logging out of one and of all, on every node, by HTTP and WebSocket, with Redis and without, and changing the password.
use Tidings;
use Tidings::Shape;
use Tidings::Util qw(now);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);

my $t = Tidings->start(workers => 2, nodes => 2, conf => {limits => {logins_per_minute => 0}});
my $anyone = $t->http(undef);
my $dbh = $t->dbh;
my $LOGIN = {id => 'id', device => 'string?', created_at => 'time', last_used_at => 'time', address => 'string', current => 'bool'};
my $PASSWORD = 'correct horse';

sub made { my ($user, %o) = @_; my $r = $anyone->post('/users/register', {user_id => $user, password => $PASSWORD, %o}); is $r->status, 201, "$user registers" or diag $r->body; return $r->json }
sub login { my ($user, %o) = @_; my $r = $anyone->post('/users/login', {user_id => $user, password => $PASSWORD, %o}); is $r->status, 200, "$user logs in" or diag $r->body; return $r->json }
sub renew { my ($token, %o) = @_; return ($o{http} // $anyone)->post('/users/refresh', {refresh_token => $token}) }
sub with { my ($login, %o) = @_; return $t->http(undef, token => $login->{token}, %o) }
sub sees { my ($login, $name, %o) = @_; is with($login, %o)->get('/users/me')->status, 200, $name; return }
sub claims_of { my ($token) = @_; return JSON::PP->new->decode(decode_base64url((split /\./, $token)[1])) }

# By all workers of both nodes that a number of connections come to. The contract's 2 s are for the machine; how long a test
# waits says nothing.
sub refused_everywhere {
	my ($login, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $node (0, 1) {
		my ($r, $upgrade);
		wait_for("$name on node $node", sub {
			for (1 .. 8) {
				$r = with($login, node => $node)->get('/users/me');
				($upgrade) = Tidings::WS::handshake(address => $t->node($node)->address, token => $login->{token});
				return 0 if $r->status == 200 || $upgrade->status == 101;
			}
			return 1;
		});
		refused "$name: refused by node $node", $r, 401, 'token_revoked';
		is $r->header('www-authenticate'), 'Bearer', 'with WWW-Authenticate';
		refused 'also of a WebSocket', $upgrade, 401, 'token_revoked';
	}
	refused "$name: cannot be renewed", renew($login->{refresh_token}), 401, 'token_revoked' if $login->{refresh_token};
	return;
}

sub is_kicked {
	my ($ws, $reason, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply $ws->expect('kicked'), {type => 'kicked', reason => $reason, by_session => undef}, "$name: kicked, $reason";
	is $ws->close_code, 4001, 'and closed';
	return;
}

subtest 'a token and what renews it' => sub {
	my $one = made('ann', device => "  Ann\x{202e}'s laptop ");
	my $claims = claims_of($one->{token});
	is $claims->{sid}, $one->{login_id}, 'the token names its login';
	cmp_ok abs($claims->{iat} - time), '<', 60, 'and says when it was issued';
	my $r = renew($one->{refresh_token});
	is $r->status, 200, 'renewed' or diag $r->body;
	my $two = $r->json;
	is_deeply [sort keys %$two], [sort keys %$one], 'with the same answer';
	is_deeply $two->{user}, $one->{user}, 'for the same user';
	is $two->{login_id}, $one->{login_id}, 'it is the same login';
	isnt $two->{refresh_token}, $one->{refresh_token}, 'which another token renews now';
	sees $one, 'the first token goes on';
	sees $two, 'and so does the new one';
	my ($stored) = $dbh->selectrow_array('SELECT COUNT(*) FROM logins WHERE INSTR(?, HEX(token_hash)) OR INSTR(?, HEX(token_key))', undef, (uc unpack 'H*', decode_base64url($two->{refresh_token})) x 2);
	is $stored, 0, 'nothing of it is stored as it is';
	for my $node ($t->nodes) {
		unlike $node->log_text, qr/\Q$_\E/, 'nor logged' for $one->{refresh_token}, $two->{refresh_token}, $two->{token};
	}
	is $anyone->get('/users/refresh')->status, 405, 'only by POST';
};

subtest 'a spent token' => sub {
	my $one = login('ann');
	my $two = renew($one->{refresh_token})->json;
	my $again = renew($one->{refresh_token});
	is $again->status, 200, 'within 30 s it is answered: the first answer may be lost';
	is $again->json->{refresh_token}, $two->{refresh_token}, 'with the same next one, so nobody has a wrong one';
	sees $again->json, 'and a token';
	my $three = renew($two->{refresh_token})->json;
	is renew($_->{refresh_token})->json->{refresh_token}, $three->{refresh_token}, 'and so does one spent before others, to the one that is valid now' for $one, $two;
	$_->clock(20) for $t->nodes;
	is renew($two->{refresh_token})->status, 200, 'for 30 s';
	my $ws = Tidings::WS->open(address => $t->node(1)->address, token => $three->{token});
	my $other = login('ann');
	$_->clock(11) for $t->nodes;
	refused 'after that it is in two hands', renew($one->{refresh_token}), 401, 'token_revoked';
	is_kicked $ws, 'token_reused', 'its session';
	refused_everywhere $three, 'its login';
	my @chain = login('ann')->{refresh_token};
	push @chain, renew($chain[-1])->json->{refresh_token} for 1 .. 9;
	is renew($chain[1])->json->{refresh_token}, $chain[9], 'the eighth before the valid one is answered';
	refused 'the one before that is too old, however short the time', renew($chain[0]), 401, 'token_revoked';
	refused 'and has ended the login', renew($chain[9]), 401, 'token_revoked';
	sees $other, 'another login goes on';
	is renew($other->{refresh_token})->status, 200, 'and is renewed';
};

subtest 'what is no refresh token' => sub {
	my $one = login('ann');
	my $bytes = decode_base64url($one->{refresh_token});
	my %bad = (empty => '', short => substr($one->{refresh_token}, 0, 79), long => $one->{refresh_token} . 'A', padded => $one->{refresh_token} . '=', 'another alphabet' => '+' x 80,
		'a JWT' => $one->{token}, 'not ASCII' => "\x{e9}" x 80, large => 'A' x 3000);
	$bad{"bit $_ flipped"} = encode_base64url($bytes ^ ("\0" x int($_ / 8) . chr(1 << $_ % 8) . "\0" x (length($bytes) - 1 - int $_ / 8))) for map { $_ * 7 } 0 .. 68;
	$bad{'another generation'} = encode_base64url(substr($bytes, 0, 8) . pack('N', 0) . substr $bytes, 12);
	refused $_, renew($bad{$_}), 401, 'token_invalid' for sort keys %bad;
	refused 'no text', $anyone->post('/users/refresh', {refresh_token => $_}), 400, 'invalid_argument', qr/refresh_token/ for 7, [], JSON::PP::true, substr($one->{refresh_token}, 0, 79) . "\0";
	refused 'none', $anyone->post('/users/refresh', {}), 400, 'invalid_argument', qr/refresh_token/;
	refused 'no JSON', $anyone->request('POST', '/users/refresh', body => '{'), 400, 'malformed_json';
	is renew($one->{refresh_token})->status, 200, 'nobody has ended the login by that';
};

subtest 'for how long' => sub {
	my $short = Tidings->start(workers => 1, conf => {account => {refresh_lifetime => 1000}, jwt => {lifetime => 100, leeway => 0}});
	my $http = $short->http(undef);
	my $one = $http->post('/users/register', {user_id => 'zoe', password => $PASSWORD})->json;
	my $ws = Tidings::WS->open(address => $short->node->address, token => $one->{token});
	$short->node->clock(101);
	refused 'a token for jwt.lifetime', $short->http(undef, token => $one->{token})->get('/users/me'), 401, 'token_expired';
	is $ws->close_code, 4002, 'its WebSocket, too';
	$short->node->clock(700);
	my $two = renew($one->{refresh_token}, http => $http)->json;
	is $short->http(undef, token => $two->{token})->get('/users/me')->status, 200, 'then it is renewed';
	$short->node->clock(700);
	my $three = renew($two->{refresh_token}, http => $http);
	is $three->status, 200, 'a login lasts for account.refresh_lifetime after its last use';
	$short->node->clock(1001);
	refused 'and no longer', renew($three->json->{refresh_token}, http => $http), 401, 'token_expired';
	is $short->dbh->selectrow_array('SELECT COUNT(*) FROM logins'), 1, 'its row is kept for a while';
	$short->dbh->do("INSERT INTO logins (id, user_id, address, created_at, last_used_at, expires_at, tokens_until, token_key, token_hash) SELECT id + seq, CONCAT('z', seq), '', created_at, last_used_at, expires_at, tokens_until, token_key, token_hash FROM logins JOIN seq_1_to_1200");
	$short->dbh->do("UPDATE logins SET expires_at = expires_at + INTERVAL 1 HOUR WHERE user_id = 'z7'");
	$short->node->clock(301);
	wait_for('the relay to delete them', sub { $short->dbh->selectrow_array('SELECT COUNT(*) FROM logins') == 1 });
	is $short->dbh->selectrow_array('SELECT user_id FROM logins'), 'z7', 'all that have run out, and no other';
	$short->stop;
};

subtest 'the list' => sub {
	my $one = made('lea', device => 'phone');
	my $two = login('lea', device => "\x{4F60}" x 64);
	my $three = login('lea');
	my $r = with($two)->get('/users/me/logins');
	is $r->status, 200, 'answered';
	is_shape $_, $LOGIN, 'a login' for @{$r->json->{items}};
	is_deeply [map { $_->{id} } @{$r->json->{items}}], [map { $_->{login_id} } $three, $two, $one], 'the one used last first';
	is_deeply [map { $_->{device} } @{$r->json->{items}}], [undef, "\x{4F60}" x 64, 'phone'], 'with their labels';
	is_deeply [map { !!$_->{current} } @{$r->json->{items}}], [!!0, !!1, !!0], 'and which one asks';
	is $_->{address}, '127.0.0.1', 'and from where' for @{$r->json->{items}};
	$_->clock(1) for $t->nodes;
	renew($one->{refresh_token});
	is with($two)->get('/users/me/logins')->json->{items}[0]{id}, $one->{login_id}, 'renewing is using';
	is_deeply [grep { $_->{current} } @{$t->api('lea')->get('/users/me/logins')->json->{items}}], [], 'a token of no login sees them, too';
	refused "device: $_->[0]", $anyone->post('/users/login', {user_id => 'lea', password => $PASSWORD, device => $_->[1]}), 400, 'invalid_argument', qr/device/
		for ['empty', ''], ['too long', 'd' x 65], ['control', "a\n"], ['nothing to see', "\x{200b}"], ['no string', 7];

	my $ws = Tidings::WS->open(address => $t->node(1)->address, token => $three->{token});
	my $stays = Tidings::WS->open(address => $t->node(1)->address, token => $one->{token});
	is with($one)->delete("/users/me/logins/$three->{login_id}")->status, 204, 'one is ended';
	is_kicked $ws, 'logged_out', 'its session on another node';
	is with($one)->delete("/users/me/logins/$three->{login_id}")->status, 204, 'twice is as good as once';
	refused_everywhere $three, 'the ended one';
	is $stays->request(type => 'ping')->{type}, 'pong', 'the other session stays';
	is_deeply [map { $_->{id} } @{with($one)->get('/users/me/logins')->json->{items}}], [map { $_->{login_id} } $one, $two], 'it is not in the list any more';
	refused "another's", $t->api('ann')->delete("/users/me/logins/$one->{login_id}"), 404, 'not_found';
	refused "unknown: $_", with($one)->delete("/users/me/logins/$_"), 404, 'not_found' for 1, 0, '18446744073709551615', 'x', '-1', '99999999999999999999999';
	is renew($_)->status, 200, 'nothing else has ended' for $two->{refresh_token};
};

subtest 'ending one\'s own login from the list' => sub {
	my ($one, $two) = (made('own'), login('own'));
	my $ws = Tidings::WS->open(address => $t->node(1)->address, token => $one->{token});
	is with($one)->delete("/users/me/logins/$one->{login_id}")->status, 204, 'is answered';
	is_kicked $ws, 'logged_out', 'its session';
	refused_everywhere $one, 'it';
	sees $two, 'the other one goes on';
};

subtest 'logging out' => sub {
	my ($one, $two) = (made('max'), login('max'));
	my @ws = map { Tidings::WS->open(address => $t->node($_)->address, token => $one->{token}) } 0, 1;
	my $stays = Tidings::WS->open(address => $t->node(0)->address, token => $two->{token});
	sees $one, 'its token is remembered by the workers', node => $_ % 2 for 1 .. 16;
	is with($one)->post('/users/logout')->status, 204, 'one logs out';
	is_kicked $_, 'logged_out', 'a session' for @ws;
	refused_everywhere $one, 'the login';
	refused 'and cannot do it again', with($one)->post('/users/logout', {}), 401, 'token_revoked';
	sees $two, 'the other login goes on';
	is $stays->request(type => 'ping')->{type}, 'pong', 'and its session';

	refused 'a token of no login', $t->api('max')->post('/users/logout'), 400, 'invalid_argument', qr/all/;
	refused 'all: no boolean', with($two)->post('/users/logout', {all => $_}), 400, 'invalid_argument', qr/all/ for 1, 'true', [];
	my $theirs = {token => $t->token('max', iat => time)};
	my $untimed = {token => $t->token('max')};
	my $later = {token => $t->token('max', iat => time + 100, sid => '7')};
	my $old = Tidings::WS->open(address => $t->node(1)->address, token => $theirs->{token});
	my $young = Tidings::WS->open(address => $t->node(1)->address, token => $later->{token}, query => 'device=young');
	is with($two)->post('/users/logout', {all => JSON::PP::true})->status, 204, 'all: answered';
	my $three = login('max');
	is_kicked $stays, 'logged_out', 'the other login';
	is_kicked $old, 'logged_out', 'a session of another signer';
	refused_everywhere $_->[0], $_->[1] for [$two, 'its token'], [$theirs, 'one of another signer'], [$untimed, 'one without iat'];
	sees $three, 'who logs in at once has a good token', node => $_ % 2 for 1 .. 16;
	sees $later, 'so has who is issued one later' for 1 .. 8;
	is $young->request(type => 'ping')->{type}, 'pong', 'and a session of such a one stays';
	is renew($three->{refresh_token})->status, 200, 'and a login that can be renewed';
	is $t->http(undef, token => $later->{token})->post('/users/logout', {all => JSON::PP::true})->status, 204, 'a token of no login ends all';
	refused_everywhere $three, 'the login then';
};

subtest 'changing the password' => sub {
	my ($one, $two) = (made('pia'), login('pia'));
	my $ws = Tidings::WS->open(address => $t->node(1)->address, token => $two->{token});
	my $own = Tidings::WS->open(address => $t->node(1)->address, token => $one->{token});
	my $change = sub { my ($old, $new) = @_; return with($one)->put('/users/me/password', {old_password => $old, new_password => $new}) };
	refused 'a wrong one', $change->('wrong password', 'another horse'), 403, 'forbidden', qr/old_password/;
	refused "new_password: $_->[0]", $change->($PASSWORD, $_->[1]), 400, 'invalid_argument', qr/new_password/ for ['short', 'short'], ['long', 'p' x 257], ['no string', 7], ['NUL', "nul\0 in it"];
	refused 'no old one', with($one)->put('/users/me/password', {new_password => 'another horse'}), 400, 'invalid_argument', qr/old_password/;
	sees $two, 'nothing has happened by that';
	is $change->($PASSWORD, 'another horse')->status, 204, 'changed';
	is_kicked $ws, 'password_changed', 'another login';
	refused_everywhere $two, 'the other login';
	sees $one, 'one\'s own goes on';
	is $own->request(type => 'ping')->{type}, 'pong', 'and its session';
	is renew($one->{refresh_token})->status, 200, 'and is renewed';
	refused 'the old password is none', $anyone->post('/users/login', {user_id => 'pia', password => $PASSWORD}), 401, 'credentials_invalid';
	is $anyone->post('/users/login', {user_id => 'pia', password => 'another horse'})->status, 200, 'the new one is';
	refused 'who has no password cannot change it', $t->api('nobody')->put('/users/me/password', {old_password => 'x', new_password => 'long enough'}), 403, 'forbidden';
	my $three = $anyone->post('/users/login', {user_id => 'pia', password => 'another horse'})->json;
	my ($status, undef, $err) = $t->node->ctl({input => "a third horse\n"}, 'user', 'passwd', 'pia');
	is $status, 0, 'the administrator sets one' or diag $err;
	refused_everywhere $_, 'all logins' for $one, $three;
};

subtest 'changing it at once' => sub {
	my $one = made('two');
	my @http = map { with($one) } 1 .. 4;
	$http[$_]->send_request('PUT', '/users/me/password', json => {old_password => $PASSWORD, new_password => "horse number $_"}) for 0 .. 3;
	my @status = map { $_->response->status } @http;
	is scalar(grep { $_ == 204 } @status), 1, 'one of four is done' or diag "@status";
	is scalar(grep { $_ == 403 } @status), 3, 'the others had the wrong password by then' or diag "@status";
	my ($done) = grep { $status[$_] == 204 } 0 .. 3;
	is $anyone->post('/users/login', {user_id => 'two', password => "horse number $done"})->status, 200, 'which is the one that counts';
};

subtest 'many at once' => sub {
	my $one = made('crowd');
	my @http = map { $t->http(undef, node => $_ % 2) } 1 .. 24;
	my $current = $one->{refresh_token};
	for my $round (1 .. 5) {
		$_->send_request('POST', '/users/refresh', json => {refresh_token => $current}) for @http;
		my @r = map { $_->response } @http;
		is_deeply [map { $_->status } @r], [(200) x 24], "round $round: all are answered";
		my %next = map { $_->json->{refresh_token} => 1 } @r;
		is scalar keys %next, 1, 'and all the same next one';
		isnt((keys %next)[0], $current, 'which is another');
		($current) = keys %next;
	}
	is $dbh->selectrow_array("SELECT generation FROM logins WHERE user_id = 'crowd'"), 6, 'each round was one step';
};

subtest 'a hundred logins' => sub {
	my $one = made('many');
	my $ws = Tidings::WS->open(address => $t->node(1)->address, token => $one->{token});
	# As many as there may be, all used since; and of what has ended more than is kept.
	$dbh->do("INSERT INTO logins (id, user_id, address, created_at, last_used_at, expires_at, tokens_until, token_key, token_hash) SELECT (id >> 20) + seq << 20, user_id, '', created_at, last_used_at + INTERVAL seq SECOND, expires_at, tokens_until, token_key, token_hash FROM logins JOIN seq_1_to_99 WHERE user_id = 'many'");
	$dbh->do("INSERT INTO logins (id, user_id, address, created_at, last_used_at, expires_at, tokens_until, token_key, token_hash, ended_at, end_reason, refused_until) SELECT (id >> 20) - seq << 20, user_id, '', created_at, last_used_at, expires_at, tokens_until, token_key, token_hash, UTC_TIMESTAMP(3) - INTERVAL seq HOUR, 1, UTC_TIMESTAMP(3) - INTERVAL seq HOUR FROM logins JOIN seq_1_to_105 WHERE id = ?", undef, $one->{login_id});
	my $two = login('many');
	is_kicked $ws, 'too_many_logins', 'the longest unused';
	refused_everywhere $one, 'it';
	sees $two, 'the new one is good';
	is scalar @{with($two)->get('/users/me/logins')->json->{items}}, 100, 'there are a hundred';
	is $dbh->selectrow_array("SELECT COUNT(*) FROM logins WHERE user_id = 'many' AND ended_at IS NOT NULL"), 100, 'and as many of the ended ones, of which the oldest went';
};

subtest 'a disabled user' => sub {
	my $one = made('dis');
	my $theirs = {token => $t->token('dis', iat => time)};
	my $ws = Tidings::WS->open(address => $t->node(1)->address, token => $one->{token});
	# As an operator's program writes it; no worker is told.
	$dbh->do("INSERT INTO user_states (user_id, disabled, reason, changed_at) VALUES ('dis', 1, 6, UTC_TIMESTAMP(3))");
	is_kicked $ws, 'disabled', 'a session';
	refused_everywhere $_, 'a token' for $one, $theirs;
	refused 'the right password', $anyone->post('/users/login', {user_id => 'dis', password => $PASSWORD}), 403, 'forbidden', qr/disabled/;
	refused 'a wrong one tells nothing', $anyone->post('/users/login', {user_id => 'dis', password => 'wrong password'}), 401, 'credentials_invalid';
	$dbh->do("UPDATE user_states SET disabled = 0, changed_at = UTC_TIMESTAMP(3) WHERE user_id = 'dis'");
	wait_for('all workers to know', sub { my @http = map { with($theirs, node => $_ % 2) } 1 .. 16; return !grep { $_->get('/users/me')->status != 200 } @http });
	is $anyone->post('/users/login', {user_id => 'dis', password => $PASSWORD})->status, 200, 'until they are enabled';
};

subtest 'without Redis' => sub {
	my ($one, $two) = (made('rea'), login('rea'));
	$t->{stack}->redis_stop('KILL');
	wait_for('node ' . ($_ + 1) . ' to notice', do { my $node = $t->node($_); sub { $node->admin_http->get('/readyz')->status == 503 } }) for 0, 1;
	my $ws = Tidings::WS->open(address => $t->node(1)->address, token => $one->{token});
	is with($one)->post('/users/logout')->status, 204, 'one logs out';
	is_kicked $ws, 'logged_out', 'a session on the other node';
	refused_everywhere $one, 'the login';
	sees $two, 'the other one goes on';
	$t->{stack}->redis_start;
	wait_for('node ' . ($_ + 1), do { my $node = $t->node($_); sub { $node->admin_http->get('/readyz')->status == 200 } }) for 0, 1;
};

subtest 'a worker that begins' => sub {
	my $one = made('new');
	is with($one)->post('/users/logout')->status, 204, 'one logs out';
	refused_everywhere $one, 'the login';
	# So long ago that only a look at all tells.
	$dbh->do("UPDATE logins SET ended_at = ended_at - INTERVAL 10 MINUTE WHERE user_id = 'new'");
	$dbh->do("INSERT INTO user_states (user_id, revoked_at, reason, changed_at) SELECT CONCAT('state', seq), UTC_TIMESTAMP(3), 5, '2026-01-01' FROM seq_1_to_1700");
	# More than a page of one time.
	$dbh->do("INSERT INTO logins (id, user_id, address, created_at, last_used_at, expires_at, tokens_until, token_key, token_hash, ended_at, end_reason, refused_until) SELECT (id >> 20) - seq << 20, CONCAT('past', seq), '', created_at, last_used_at, expires_at, tokens_until, token_key, token_hash, ended_at, 1, refused_until + INTERVAL seq DIV 700 SECOND FROM logins JOIN seq_1_to_1700 WHERE user_id = 'new'");
	$t->node(0)->allow_deaths(2);
	kill KILL => $t->node(0)->worker_pids;
	wait_for('new workers', sub { $t->node(0)->admin_http->get('/readyz')->status == 200 });
	refused_everywhere $one, 'the login that ended before';
	my @users = map { "state$_" } 1, 2, 499, 500, 501, 999, 1000, 1001, 1700;
	refused "$_, of the pages that it read", $t->http($_)->get('/users/me'), 401, 'token_revoked' for @users;
	my %sid = map { @$_ } @{$dbh->selectall_arrayref("SELECT user_id, id FROM logins WHERE user_id LIKE 'past%'")};
	refused "past$_, of the pages that it read", $t->http(undef, token => $t->token("past$_", sid => "" . $sid{"past$_"}))->get('/users/me'), 401, 'token_revoked' for 1, 199, 200, 201, 499, 500, 501, 699, 700, 701, 1399, 1400, 1700;
	is $t->http(undef, token => $t->token('past1', sid => "" . (($one->{login_id} >> 20) + 9 << 20)))->get('/users/me')->status, 200, 'not another login of theirs';
	is $t->http('state1701')->get('/users/me')->status, 200, 'and nobody else';
};

subtest 'tries are counted' => sub {
	my $strict = Tidings->start(workers => 2, conf => {limits => {logins_per_minute => 2}});
	my $http = $strict->http(undef);
	my $one = $http->post('/users/register', {user_id => 'max', password => $PASSWORD})->json;
	my @r;
	is_deeply [map { renew("no token $_", http => $http)->status } 1 .. 60], [(401) x 60], 'what cannot be a refresh token costs nothing';
	# One address takes nothing from those who have logged in elsewhere, or here.
	my $from = sub { my ($host) = @_; return Tidings::HTTP->new(address => $strict->node->address, from => $host) };
	my @logins = map { my $r = $from->("127.0.3.$_")->post('/users/login', {user_id => 'max', password => $PASSWORD}); is $r->status, 200, 'a login from elsewhere'; $r->json } 1 .. 6;
	is_deeply [map { renew('A' x 80, http => $http)->status } 1 .. 19], [(401) x 19], 'nineteen that are none';
	is_deeply [map { renew($_->{refresh_token}, http => $http)->status } $one, @logins], [(200) x 7], 'and seven that are genuine';
	my $next = renew($one->{refresh_token}, http => $from->('127.0.4.1'));
	push @r, $next = renew($next->json->{refresh_token}, http => $from->('127.0.4.2')) while @r < 50 && $next->status == 200;
	ok $r[-1]->status == 429, 'a login cannot be renewed as often as one likes, from wherever' or diag(map { $_->status . ' ' } @r);
	like $r[-1]->header('retry-after'), qr/\A\d+\z/, 'says when';
	@r = ();
	push @r, renew('A' x 80, http => $http) while @r < 200 && (!@r || $r[-1]->status == 401);
	ok $r[-1]->status == 429, 'an address may bring ten times as many that are none as it may log in' or diag(map { $_->status . ' ' } @r);
	like $r[-1]->header('retry-after'), qr/\A\d+\z/, 'says when';
	is $http->post('/users/login', {user_id => 'max', password => $PASSWORD})->status, 200, 'which take nothing from logins';
	is $from->('127.0.3.9')->post('/users/register', {user_id => 'ned', password => $PASSWORD})->status, 201, 'another user';
	# Some come back while a slow machine hashes.
	my $mine = $strict->http(undef, token => $one->{token});
	for my $case (['right', $PASSWORD, 204], ['wrong', 'wrong password', 403]) {
		my ($name, $old, $want) = @$case;
		my @status;
		push @status, $mine->put('/users/me/password', {old_password => $old, new_password => $PASSWORD})->status while @status < 100 && ($status[-1] // $want) == $want;
		is $status[-1], 429, "$name old passwords are counted by user" or diag("@status");
		is $from->('127.0.3.10')->post('/users/login', {user_id => 'ned', password => $PASSWORD})->status, 200, 'which keeps nobody else out';
		$strict->node->clock(60);
	}
	$strict->stop;
};

$t->stop;
done_testing;
