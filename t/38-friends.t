# SPDX-License-Identifier: BSD-2-Clause
# Proves friends (contract, section 5): requests, crossing ones, the answers, the list, ending and blocking; what each
# side hears of it; and what it does to sending, typing and watching, at once and on every node. That requests are bounded.
use Tidings;
use Tidings::Shape;

my $t = Tidings->start(workers => 2, nodes => 2);
$t->dbh->do('INSERT INTO users (id, nickname, avatar_url) VALUES (?, ?, ?)', undef, @$_) for ['ann', 'Ann', 'https://x/a.png'], ['ben', 'Ben', undef];
$t->dbh->do('INSERT INTO users (id) VALUES (?)', undef, $_) for qw(cat dan eve target zed hub), map { ("x$_", "y$_") } 1 .. 10;

# Clients of both nodes: what one does there is heard here.
sub ann { return $_[0]{ann} //= $t->http('ann') }
sub ben { return $_[0]{ben} //= $t->http('ben', node => 1) }
my $c = {};
my ($ann, $ben) = (ann($c), ben($c));
my ($ann_ws, $ben_ws) = ($t->ws('ann'), $t->ws('ben', node => 1));

sub heard {
	my ($ws, $kind, $actor, $body) = @_;
	my $n = $ws->expect('notification')->{notification};
	is_shape $n, $NOTIFICATION, "$kind: a notification";
	is_deeply [@{$n}{qw(id kind ref message_id body)}, $n->{is_read} ? 1 : 0, $n->{actor}{user_id}], [undef, $kind, undef, undef, $body, 0, $actor], 'that says who and what';
	return $n;
}
sub friends_of { my ($http) = @_; return [map { $_->{user}{user_id} } @{$http->get('/friends')->json->{items}}] }

subtest 'request and accept' => sub {
	my $r = $ann->post('/friends/requests', {user_id => 'ben', note => "hi,\nit's me"});
	is $r->status, 201, 'asked' or diag($r->body);
	is_shape $r->json, $FRIEND_REQUEST, 'answers the request';
	is_deeply [$r->json->{user}{nickname}, $r->json->{note}], ['Ben', "hi,\nit's me"], 'to whom and with what';
	is heard($ben_ws, 'friend_request', 'ann', "hi,\nit's me")->{actor}{nickname}, 'Ann', 'ben hears of it on the other node';
	my $again = $ann->post('/friends/requests', {user_id => 'ben', note => 'and again'});
	is $again->status, 409, 'asked twice';
	like $again->json->{detail}, qr/pending/, 'says that the request is pending';
	$ben_ws->settle;
	is_deeply [$ben_ws->queued('notification')], [], 'of which nobody hears a second time';
	my $in = $ben->get('/friends/requests')->json;
	is_shape $in, {items => [$FRIEND_REQUEST], next_cursor => 'string?'}, 'ben has it in the list';
	is_deeply [map { [$_->{user}{user_id}, $_->{note}] } @{$in->{items}}], [['ann', "hi,\nit's me"]], 'from ann';
	is_deeply [map { $_->{user}{user_id} } @{$ann->get('/friends/requests?direction=out')->json->{items}}], ['ben'], 'ann in hers of those sent';
	is_deeply $_->json->{items}, [], 'and nowhere else' for $ann->get('/friends/requests'), $ann->get('/friends/requests?direction=in'), $ben->get('/friends/requests?direction=out');
	refused 'meanwhile they may not talk', $ann->post('/messages/send', text_to('ben', 'x')), 403, 'not_friends';
	refused 'she cannot accept it herself', $ann->put('/friends/requests/ben/accept'), 404, 'not_found';
	$r = $ben->put('/friends/requests/ann/accept');
	is $r->status, 200, 'accepted';
	is_shape $r->json, $FRIEND, 'answers the friend';
	is_deeply [$r->json->{user}{user_id}, $r->json->{online} ? 1 : 0, $r->json->{blocked} ? 1 : 0], ['ann', 1, 0], 'who is online';
	heard($ann_ws, 'friend_accepted', 'ben');
	is $ben->put('/friends/requests/ann/accept')->status, 200, 'accepting once more finds them friends';
	is_deeply $_->get('/friends/requests')->json->{items}, [], 'the request is gone' for $ann, $ben;
	is_deeply friends_of($ann), ['ben'], 'ben is in her list';
	is_deeply friends_of($ben), ['ann'], 'ann in his';
	is $ann->post('/messages/send', text_to('ben', 'x'))->status, 201, 'and they talk';
	refused 'friends need not ask', $ben->post('/friends/requests', {user_id => 'ann'}), 409, 'conflict';
};

subtest 'crossing, declining' => sub {
	my ($cat, $dan) = map { $t->http($_) } qw(cat dan);
	my $ws = $t->ws('cat');
	is $cat->post('/friends/requests', {user_id => 'dan'})->status, 201, 'one asks';
	my $r = $dan->post('/friends/requests', {user_id => 'cat', note => 'me too'});
	is $r->status, 201, 'so does the other';
	is_shape $r->json, $FRIEND, 'and has a friend at once';
	is_deeply friends_of($_->[0]), [$_->[1]], 'both have' for [$cat, 'dan'], [$dan, 'cat'];
	heard($ws, 'friend_accepted', 'dan');
	is_deeply $_->get('/friends/requests')->json->{items}, [], 'no request is left' for $cat, $dan;
	my $eve = $t->http('eve');
	is $eve->post('/friends/requests', {user_id => 'cat'})->status, 201, 'another asks';
	heard($ws, 'friend_request', 'eve');
	my $eve_ws = $t->ws('eve', node => 1);
	is $cat->put('/friends/requests/eve/decline')->status, 204, 'and is declined';
	heard($eve_ws, 'friend_declined', 'cat');
	refused "$_ what is not there", $cat->put("/friends/requests/eve/$_"), 404, 'not_found' for qw(accept decline);
	my $refused = $eve->post('/friends/requests', {user_id => 'cat'});
	refused 'asking again', $refused, 429, 'rate_limited', qr/user_id.*declined/;
	cmp_ok $refused->header('retry-after'), '>', 86_000, 'for a day';
	cmp_ok $refused->header('retry-after'), '<=', 86_400, 'and no longer';
	refused 'on the other node as well', $t->http('eve', node => 1)->post('/friends/requests', {user_id => 'cat'}), 429, 'rate_limited';
	$ws->settle;
	is_deeply [$ws->queued('notification')], [], 'and nobody hears of it';
	is $eve->post('/friends/requests', {user_id => 'dan'})->status, 201, 'others may be asked';
	$t->dbh->do("UPDATE friend_declines SET declined_at = declined_at - INTERVAL 1 DAY WHERE from_user_id = 'eve'");
	is $eve->post('/friends/requests', {user_id => 'cat'})->status, 201, 'a day later she may ask again';
	heard($ws, 'friend_request', 'eve');
	is $cat->put('/friends/requests/eve/decline')->status, 204, 'is declined again';
	heard($eve_ws, 'friend_declined', 'cat');
	is $cat->post('/friends/requests', {user_id => 'eve'})->status, 201, 'and may be asked by the one who declined';
	heard($eve_ws, 'friend_request', 'cat');
	$r = $eve->post('/friends/requests', {user_id => 'cat'});
	is $r->status, 201, 'whose request hers may cross';
	is_shape $r->json, $FRIEND, 'and they are friends';
	heard($ws, 'friend_accepted', 'eve');
	is $eve->delete('/friends/cat')->status, 204, 'no longer';
	is $eve->post('/friends/requests', {user_id => 'cat'})->status, 201, 'what was declined before does not count any more';
	is_deeply $t->dbh->selectcol_arrayref("SELECT from_user_id FROM friend_declines WHERE from_user_id = 'eve'"), [], 'nor is it kept';
};

subtest 'so many requests a day' => sub {
	my @some = map { sprintf 'lim%02d', $_ } 0 .. 59;
	$t->dbh->do('INSERT INTO users (id) VALUES (?)', undef, $_) for @some;
	my @all = map { $t->http('keen', node => $_ % 2) } 1 .. 8;
	my (%by_status, $last);
	for my $start (map { 8 * $_ } 0 .. 6) {
		$all[$_]->send_request('POST', '/friends/requests', json => {user_id => $some[$start + $_]}) for 0 .. 7;
		for (@all) {
			my $r = $_->response;
			$by_status{$r->status}++;
			$last = $r if $r->status != 201;
		}
	}
	is_deeply \%by_status, {201 => 50, 429 => 6}, 'of 56 in eights through two nodes fifty are taken';
	refused 'the others', $last, 429, 'rate_limited', qr/friend requests a day/;
	cmp_ok $last->header('retry-after'), '<=', 1728, 'the next one can be sent after a fiftieth of a day';
	is $t->http('keen')->post('/friends/requests', {user_id => $some[0]})->status, 409, 'a repeated one is told from one too many';
	is $t->http($some[59])->post('/friends/requests', {user_id => 'keen'})->status, 404, 'keen has no account';
	$t->dbh->do("INSERT INTO users (id) VALUES ('keen')");
	is $t->http($some[59])->post('/friends/requests', {user_id => 'keen'})->status, 201, 'another asks keen';
	is $t->http('keen')->post('/friends/requests', {user_id => $some[59]})->status, 201, 'whom keen may ask as well';
	$t->node->stop;
	$t->node->start;
	$ann_ws = $t->ws('ann');
	refused 'after a restart', $t->http('keen')->post('/friends/requests', {user_id => $some[58]}), 429, 'rate_limited';
	$t->dbh->do("UPDATE friend_request_limits SET full_at = full_at - INTERVAL 1728 SECOND WHERE user_id = 'keen'");
	is $t->http('keen')->post('/friends/requests', {user_id => $some[58]})->status, 201, 'a fiftieth of a day later: one more';
	refused 'and no other', $t->http('keen')->post('/friends/requests', {user_id => $some[57]}), 429, 'rate_limited';
	$t->dbh->do("UPDATE friend_request_limits SET full_at = full_at + INTERVAL 30 DAY WHERE user_id = 'keen'");
	cmp_ok $t->http('keen')->post('/friends/requests', {user_id => $some[57]})->header('retry-after'), '<=', 1728, 'a clock that was set back costs no more';
};

subtest 'many at once' => sub {
	for my $round (1 .. 10) {
		my @pair = ("x$round", "y$round");
		my @both = map { [$t->http($pair[$_], node => $_), $pair[1 - $_]] } 0, 1;
		$_->[0]->send_request('POST', '/friends/requests', json => {user_id => $_->[1]}) for @both;
		is_deeply [map { $_->[0]->response->status } @both], [201, 201], 'two requests cross at one moment' if $round;
		is_deeply [map { @{friends_of($_->[0])} } @both], [reverse @pair], 'friends, both';
		is_deeply [map { @{$_->[0]->get('/friends/requests')->json->{items}} } @both], [], 'and nothing is left';
	}
	my @all = map { $t->http('crowd', node => $_ % 2) } 1 .. 8;
	$_->send_request('POST', '/friends/requests', json => {user_id => 'target'}) for @all;
	is_deeply [sort map { $_->response->status } @all], [201, (409) x 7], 'of eight requests of one user one is taken';
};

sub may_send { my ($http, $to) = @_; my $r = $http->post('/messages/send', text_to($to, 'x')); return $r->status == 201 ? 'yes' : $r->code }
sub typing { my ($ws, $id) = @_; my $r = $ws->request(type => 'typing', conversation_id => $id); return $r->{code} // 'told' }
sub creates { my ($http, $with) = @_; my $r = $http->post('/messages/conversations/create', {user_id => $with}); return $r->status < 300 ? 'yes' : $r->code }
sub sees { my ($ws, $whom) = @_; my ($u) = @{$ws->request(type => 'watch', user_ids => [$whom])->{users}}; return !$u ? 'nobody' : $u->{online} ? 'online' : 'offline' }
sub state_told { my ($ws) = @_; my $e = $ws->expect('presence'); return [$e->{user_id}, $e->{online} ? 'online' : 'offline'] }

subtest 'blocking' => sub {
	my $id = $ann->post('/messages/conversations/create', {user_id => 'ben'})->json->{id};
	is_deeply [sees($ann_ws, 'ben'), sees($ben_ws, 'ann')], ['online', 'online'], 'both watch each other';
	my $r = $ann->put('/friends/ben/block');
	is $r->status, 200, 'ann blocks ben';
	is_shape $r->json, $FRIEND, 'answers the friend';
	ok $r->json->{blocked}, 'as blocked';
	is_deeply state_told($ben_ws), ['ann', 'offline'], 'ben sees her go, at once, on the other node';
	is may_send($ben, 'ann'), 'blocked', 'he may not send';
	is typing($ben_ws, $id), 'blocked', 'nor be seen typing';
	is creates($ben, 'ann'), 'blocked', 'nor create';
	is sees($ben_ws, 'ann'), 'offline', 'and sees her offline';
	my ($f) = @{$ben->get('/friends')->json->{items}};
	is_deeply [$f->{user}{user_id}, $f->{online} ? 1 : 0, $f->{last_seen}, $f->{blocked} ? 1 : 0], ['ann', 0, undef, 0], 'in his list as well, which does not say why';
	my ($conv) = @{$ben->get('/messages/conversations')->json->{items}};
	ok !$conv->{peer}{online}, 'and in the list of conversations';
	is may_send($ann, 'ben'), 'yes', 'she may send';
	is typing($ann_ws, $id), 'told', 'and type';
	is sees($ann_ws, 'ben'), 'online', 'and sees him';
	($f) = @{$ann->get('/friends')->json->{items}};
	ok $f->{blocked} && $f->{online}, 'in her list, too';
	is $ann->put('/friends/ben/block')->status, 200, 'blocking twice is no fault';
	my $unblocked = $ann->delete('/friends/ben/block');
	is $unblocked->status, 200, 'unblocked';
	ok !$unblocked->json->{blocked}, 'is answered';
	is_deeply state_told($ben_ws), ['ann', 'online'], 'he sees her again, without having asked';
	$ben_ws->settle;
	is_deeply [$ben_ws->queued('notification')], [], 'and was told of neither';
	is_deeply [may_send($ben, 'ann'), typing($ben_ws, $id), creates($ben, 'ann'), sees($ben_ws, 'ann')], ['yes', 'told', 'yes', 'online'], 'all as before';
	refused 'a stranger', $ann->put('/friends/dan/block'), 404, 'not_found';
	refused 'to unblock', $ann->delete('/friends/dan/block'), 404, 'not_found';
	refused 'oneself', $ann->put('/friends/ann/block'), 404, 'not_found';
};

subtest 'ending' => sub {
	my $id = $ann->post('/messages/conversations/create', {user_id => 'ben'})->json->{id};
	is_deeply [sees($ann_ws, 'ben'), sees($ben_ws, 'ann')], ['online', 'online'], 'both watch each other';
	is $ben->delete('/friends/ann')->status, 204, 'ben ends it';
	is_deeply state_told($ann_ws), ['ben', 'offline'], 'ann sees him go';
	is_deeply state_told($ben_ws), ['ann', 'offline'], 'and he her';
	heard($ann_ws, 'friend_removed', 'ben');
	for ([$ann, $ann_ws, 'ben'], [$ben, $ben_ws, 'ann']) {
		my ($http, $ws, $peer) = @$_;
		is_deeply [may_send($http, $peer), typing($ws, $id), sees($ws, $peer), friends_of($http)], ['not_friends', 'not_friends', 'nobody', []], 'for both';
		ok !$http->get('/messages/conversations')->json->{items}[0]{peer}{online}, 'the list of conversations shows the other offline';
		is $http->get("/messages/conversations/$id/messages")->status, 200, 'what was said stays';
	}
	refused 'twice', $ben->delete('/friends/ann'), 404, 'not_found';
	is $ann->post('/friends/requests', {user_id => 'ben'})->status, 201, 'they may begin anew';
	heard($ben_ws, 'friend_request', 'ann');
	is $ben->put('/friends/requests/ann/accept')->status, 200, 'and be friends again';
	is may_send($ben, 'ann'), 'yes', 'and talk';
};

subtest 'watching while it changes' => sub {
	# A watch that read the database just before the block must not show what was true then: what wes is told last, by
	# an answer or by an event, becomes what is true, without asking again.
	my ($wes, $xia) = ($t->ws('wes'), $t->ws('xia', node => 1));
	$t->befriend(qw(wes xia));
	my $http = $t->http('xia', node => 1);
	my $told = sub {
		my ($want, $ref) = @_;
		my $last = '';
		while ($ref || $last ne $want) {
			my $e = $wes->next_event;
			$last = $e->{online} ? 'online' : 'offline' if $e->{type} eq 'presence';
			($last, $ref) = ($e->{users}[0]{online} ? 'online' : 'offline', undef) if $ref && ($e->{ref} // '') eq $ref;
		}
		return $last;
	};
	for my $round (1 .. 20) {
		my $ref = $wes->start(type => 'watch', user_ids => ['xia']);
		$http->put('/friends/wes/block');
		is $told->('offline', $ref), 'offline', 'blocked';
		is sees($wes, 'xia'), 'offline', 'also if asked' if $round == 1;
		$http->delete('/friends/wes/block');
		is $told->('online'), 'online', 'unblocked';
	}
	is sees($wes, 'xia'), 'online', 'unblocked in the end';
};

subtest 'lists page by key' => sub {
	my $hub = $t->http('hub');
	$t->befriend('hub', $_) for map { sprintf 'f%02d', $_ } 1 .. 25;
	my ($cursor, @seen, $pages) = ('', ());
	do {
		my $page = $hub->get('/friends?limit=7' . ($cursor ne '' ? "&cursor=$cursor" : ''))->json;
		push @seen, map { $_->{user}{user_id} } @{$page->{items}};
		$cursor = $page->{next_cursor} // '';
		$pages++;
	} while ($cursor ne '' && $pages < 10);
	is_deeply \@seen, [map { sprintf 'f%02d', $_ } 1 .. 25], 'all friends, each once, in order';
	is $pages, 4, 'in four pages';
	$t->http(sprintf 'r%02d', $_)->post('/friends/requests', {user_id => 'hub'}) for 1 .. 12;
	my $first = $hub->get('/friends/requests?limit=5')->json;
	is_deeply [map { $_->{user}{user_id} } @{$first->{items}}], [map { sprintf 'r%02d', $_ } reverse 8 .. 12], 'requests, the newest first';
	my $second = $hub->get("/friends/requests?limit=100&cursor=$first->{next_cursor}")->json;
	is_deeply [map { $_->{user}{user_id} } @{$second->{items}}], [map { sprintf 'r%02d', $_ } reverse 1 .. 7], 'and the rest';
	is $second->{next_cursor}, undef, 'no more';
	refused "$_", $hub->get($_), 400, 'invalid_argument' for '/friends?limit=0', '/friends?limit=101', '/friends?limit=x', '/friends?cursor=a%20b', '/friends/requests?cursor=x',
		'/friends/requests?direction=up';
	my ($friend) = grep { $_->{user}{user_id} eq 'f01' } @{$hub->get('/friends')->json->{items}};
	is $friend->{online} ? 1 : 0, 0, 'f01 is offline';
	my $ws = $t->ws('f01', node => 1);
	wait_for('f01 to be seen', sub { $hub->get('/friends?limit=1')->json->{items}[0]{online} });
	$ws->close->close_code;
	wait_for('f01 to be gone, with a time', sub { my $f = $hub->get('/friends?limit=1')->json->{items}[0]; !$f->{online} && $f->{last_seen} });
	pass 'online and last_seen are told';
};

subtest 'bad input' => sub {
	my $r;
	refused 'no user_id', $ann->post('/friends/requests', {}), 400, 'invalid_argument', qr/user_id/;
	refused 'oneself', $ann->post('/friends/requests', {user_id => 'ann'}), 400, 'invalid_argument', qr/user_id/;
	refused 'no id', $ann->post('/friends/requests', {user_id => 'a b'}), 400, 'invalid_argument', qr/user_id/;
	refused 'a long note', $ann->post('/friends/requests', {user_id => 'zed', note => 'n' x 256}), 400, 'invalid_argument', qr/note/;
	refused 'a note with control characters', $ann->post('/friends/requests', {user_id => 'zed', note => "a\x{1}"}), 400, 'invalid_argument', qr/note/;
	refused 'a note that is no string', $ann->post('/friends/requests', {user_id => 'zed', note => 5}), 400, 'invalid_argument', qr/note/;
	refused 'a note that shows nothing', $ann->post('/friends/requests', {user_id => 'zed', note => " \x{200b}\n\x{301}"}), 400, 'invalid_argument', qr/note/;
	refused 'somebody whom nobody knows', $ann->post('/friends/requests', {user_id => 'nobody'}), 404, 'not_found', qr/user_id/;
	$r = $ann->post('/friends/requests', {user_id => 'zed', note => "  \x{202e}" . "\x{1F600}" x 251 . "\n"});
	is $r->status, 201, '255 characters are as many as fit';
	is $r->json->{note}, "\x{1F600}" x 251, 'of which spaces around it, and what turns the text round, are not kept';
	refused 'without a token', $t->http(undef)->get('/friends'), 401, 'token_invalid';
	refused 'another method', $r = $ann->get('/friends/ben/block'), 405, 'method_not_allowed';
	is $r->header('allow'), 'PUT, DELETE', 'with Allow';
	refused 'a path that is none', $ann->put('/friends/requests/ben/ignore'), 404, 'not_found';
};

$t->stop;
done_testing;
