# SPDX-License-Identifier: BSD-2-Clause
# Proves blocking (contract, section 5b): what each of two users may do in every state between them, held against a model;
# that a block outlives the friendship, reaches strangers, is seen at once on every node, and is told to nobody.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 1, nodes => 2, conf => {limits => {sends_per_second => 0}});
my $dbh = $t->dbh;

sub users { $dbh->do('INSERT IGNORE INTO users (id) VALUES (?)', undef, $_) for @_; return @_ }
sub may_send { my ($http, $to) = @_; my $r = $http->post('/messages/send', text_to($to, 'x')); return $r->status == 201 ? 'yes' : $r->code }
sub blocked_by { my ($http) = @_; return [map { $_->{user_id} } @{$http->get('/users/blocked')->json->{items}}] }
sub friends_of { my ($http) = @_; return [map { $_->{user}{user_id} } @{$http->get('/friends')->json->{items}}] }
sub requests { my ($http, $direction) = @_; return [map { $_->{user}{user_id} } @{$http->get("/friends/requests?direction=$direction")->json->{items}}] }

# ---- the model ----
# A state: what the two are (none, asked, was_asked, friends, as the actor sees it), whether the actor blocks the peer
# (mine) and the peer the actor (theirs). A block is '' (none), 'row' (in blocks) or 'friend' (in the friendship, put
# there by another system). An action gives what is answered, what the peer is told, and the state after it.

my @relations = qw(none asked was_asked friends);
my %action = (
	send => sub { my ($s) = @_; return ($s->{theirs} ? 'blocked' : $s->{is} eq 'friends' ? 201 : 'not_friends') },
	send_again => sub { my ($s) = @_; return ($s->{theirs} ? 'blocked' : $s->{is} eq 'friends' ? 201 : 'not_friends') },
	send_by_socket => sub { my ($s) = @_; return ($s->{theirs} ? 'blocked' : $s->{is} eq 'friends' ? 'ack' : 'not_friends') },
	type => sub { my ($s) = @_; return ($s->{theirs} ? 'blocked' : $s->{is} eq 'friends' ? 'result' : 'not_friends') },
	create => sub { my ($s) = @_; return ($s->{theirs} ? 'blocked' : $s->{is} eq 'friends' ? 201 : 'not_friends') },
	find => sub { my ($s) = @_; return ($s->{theirs} ? 'blocked' : 200) },
	request => sub {
		my ($s) = @_;
		return 'blocked' if $s->{theirs};
		return 'conflict' if $s->{is} eq 'friends';
		return 'conflict' if $s->{is} eq 'asked';
		return (201, 'friend_accepted', {is => 'friends'}) if $s->{is} eq 'was_asked';
		return (201, 'friend_request', {is => 'asked'});
	},
	accept => sub {
		my ($s) = @_;
		return 200 if $s->{is} eq 'friends';
		return (200, 'friend_accepted', {is => 'friends'}) if $s->{is} eq 'was_asked';
		return $s->{theirs} ? 'blocked' : 'not_found';
	},
	decline => sub { my ($s) = @_; return $s->{is} eq 'was_asked' ? (204, 'friend_declined', {is => 'none'}) : 'not_found' },
	end => sub { my ($s) = @_; return $s->{is} eq 'friends' ? (204, 'friend_removed', {is => 'none'}) : 'not_found' },
	block_user => sub { my ($s) = @_; return (204, undef, {mine => 1, is => $s->{is} eq 'friends' ? 'friends' : $s->{mine} eq 'row' ? $s->{is} : 'none'}) },
	unblock_user => sub { return (204, undef, {mine => ''}) },
	block_friend => sub { my ($s) = @_; return $s->{is} eq 'friends' ? (200, undef, {mine => 1}) : 'not_found' },
	unblock_friend => sub { my ($s) = @_; return $s->{is} eq 'friends' ? (200, undef, {mine => ''}) : 'not_found' },
);

sub act {
	my ($name, $http, $ws, $peer, $conversation) = @_;
	my %by = (
		send => sub { $http->post('/messages/send', text_to($peer, 'x')) },
		send_by_socket => sub { $ws->request(type => 'send', client_msg_id => 'k', %{text_to($peer, 'x')}) },
		type => sub { $ws->request(type => 'typing', conversation_id => "$conversation") },
		create => sub { $http->post('/messages/conversations/create', {user_id => $peer}) },
		request => sub { $http->post('/friends/requests', {user_id => $peer}) },
		accept => sub { $http->put("/friends/requests/$peer/accept") },
		decline => sub { $http->put("/friends/requests/$peer/decline") },
		end => sub { $http->delete("/friends/$peer") },
		block_user => sub { $http->put("/users/$peer/block") },
		unblock_user => sub { $http->delete("/users/$peer/block") },
		block_friend => sub { $http->put("/friends/$peer/block") },
		unblock_friend => sub { $http->delete("/friends/$peer/block") },
	);
	my $r = $by{{send_again => 'send', find => 'create'}->{$name} // $name}->();
	return $r->{code} // $r->{type} if ref $r eq 'HASH';
	return $r->status >= 400 ? $r->code : $r->status;
}

sub set_state {
	my ($a, $b, $s) = @_;
	my $pair = join ' ', sort $a, $b;
	my $pending = 'INSERT INTO friend_requests (from_user_id, to_user_id, pair, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))';
	users($a, $b);
	$t->befriend($a, $b) if $s->{is} eq 'friends';
	$dbh->do($pending, undef, $a, $b, $pair) if $s->{is} eq 'asked';
	$dbh->do($pending, undef, $b, $a, $pair) if $s->{is} eq 'was_asked';
	for ([$a, $b, $s->{mine}], [$b, $a, $s->{theirs}]) {
		my ($who, $whom, $how) = @$_;
		$dbh->do('INSERT INTO blocks (user_id, blocked_id) VALUES (?, ?)', undef, $who, $whom) if $how eq 'row';
		$dbh->do('INSERT INTO friendships (user_id, friend_id, blocked) VALUES (?, ?, 1) ON DUPLICATE KEY UPDATE blocked = 1', undef, $who, $whom) if $how eq 'friend';
	}
	return;
}

# What the API tells of it, from both sides.
sub seen_state {
	my ($a_http, $b_http) = @_;
	return {
		friends => [map { scalar @{friends_of($_)} } $a_http, $b_http],
		asked => [scalar @{requests($a_http, 'out')}, scalar @{requests($b_http, 'in')}],
		was_asked => [scalar @{requests($a_http, 'in')}, scalar @{requests($b_http, 'out')}],
		blocks => [map { scalar @{blocked_by($_)} } $a_http, $b_http],
	};
}
sub told_state {
	my ($s) = @_;
	return {(map { my $is = $_; $is => [($s->{is} eq $is ? 1 : 0) x 2] } qw(friends asked was_asked)), blocks => [map { $_ ? 1 : 0 } @$s{qw(mine theirs)}]};
}

subtest 'every action in every state' => sub {
	my $n = 0;
	for my $is (@relations) {
		for my $mine ('', 'row', 'friend') {
			for my $theirs ('', 'row', 'friend') {
				# Two rows are a friendship. One alone says who blocks, and can be ended, of which the model knows nothing.
				my $alone = $is ne 'friends' && ($mine eq 'friend' || $theirs eq 'friend');
				next if $is ne 'friends' && $mine eq 'friend' && $theirs eq 'friend';
				my (@wrong, $name);
				for $name (sort keys %action) {
					next if $alone && $name eq 'end';
					my ($a, $b) = ("a$n", "b$n");
					$n++;
					my $s = {is => $is, mine => $mine, theirs => $theirs};
					set_state($a, $b, $s);
					my ($a_http, $b_http, $b_ws) = ($t->http($a), $t->http($b), $t->ws($b));
					my $conversation;
					if ($name =~ /\A(?:send_again|type|find)\z/) {
						$dbh->do('INSERT INTO conversations (user1_id, user2_id, sort_time, created_at) VALUES (?, ?, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))', undef, sort $a, $b);
						$conversation = $dbh->last_insert_id;
					}
					my ($want, $told, $then) = $action{$name}->($s);
					my $got = act($name, $a_http, $name =~ /\A(?:type|send_by_socket)\z/ ? $t->ws($a) : undef, $b, $conversation);
					push @wrong, "$name: $got, not $want" if $got ne $want;
					$b_ws->settle;
					my $heard = join ' ', map { $_->{type} eq 'notification' ? $_->{notification}{kind} : $_->{type} } grep { $_->{type} !~ /\A(?:message|typing)\z/ } $b_ws->queued;
					push @wrong, "$name: told '$heard'" if $heard ne ($told // '');
					my ($seen, $told_state) = map { JSON::PP->new->canonical->encode($_) } seen_state($a_http, $b_http), told_state({%$s, %{$then // {}}});
					push @wrong, "$name: then $seen, not $told_state" if $seen ne $told_state;
					next if ($told // '') ne 'friend_accepted';
					# New friends: other systems read who blocks whom in the friendship.
					my $rows = join ' ', map { scalar $dbh->selectrow_array('SELECT blocked FROM friendships WHERE user_id = ? AND friend_id = ?', undef, @$_) } [$a, $b], [$b, $a];
					my $want_rows = join ' ', map { $_ ? 1 : 0 } $mine, $theirs;
					push @wrong, "$name: the friendship says $rows, not $want_rows" if $rows ne $want_rows;
				}
				is_deeply \@wrong, [], "$is, mine: '$mine', theirs: '$theirs'";
			}
		}
	}
	cmp_ok $n, '>', 400, 'cases';
};

subtest 'a block outlives the friendship' => sub {
	$t->befriend(qw(ann ben));
	my ($ann, $ben) = ($t->http('ann'), $t->http('ben', node => 1));
	is $ann->put('/friends/ben/block')->status, 200, 'ann blocks ben';
	is $ben->delete('/friends/ann')->status, 204, 'who ends the friendship';
	refused 'and asks again', $ben->post('/friends/requests', {user_id => 'ann'}), 403, 'blocked';
	is may_send($ben, 'ann'), 'blocked', 'he may not send';
	is_deeply blocked_by($ann), ['ben'], 'she still blocks him';
	refused 'as no friend', $ann->delete('/friends/ben/block'), 404, 'not_found';
	my $ben_ws = $t->ws('ben', node => 1);
	is $ann->post('/friends/requests', {user_id => 'ben'})->status, 201, 'she asks him to be friends again';
	is $ben_ws->expect('notification')->{notification}{kind}, 'friend_request', 'he hears of it';
	refused 'he cannot cross it', $ben->post('/friends/requests', {user_id => 'ann'}), 403, 'blocked';
	is $ben->put('/friends/requests/ann/accept')->status, 200, 'but accept';
	is may_send($ben, 'ann'), 'blocked', 'and still may not send';
	my ($f) = @{$ann->get('/friends')->json->{items}};
	ok $f->{blocked}, 'her list of friends says so';
	is_deeply $dbh->selectcol_arrayref("SELECT blocked FROM friendships WHERE user_id = 'ann' AND friend_id = 'ben'"), [1], 'and so does the table that others read';
	my $ann_ws = $t->ws('ann');
	($f) = @{$ben->get('/friends')->json->{items}};
	ok !$f->{online} && !$f->{blocked}, 'his shows her offline, and says nothing';
	is_deeply [map { $_->{online} ? 1 : 0 } @{$ben_ws->request(type => 'watch', user_ids => ['ann'])->{users}}], [0], 'so does watching her';
	is $ann->delete('/friends/ben')->status, 204, 'she ends it, too';
	is may_send($ben, 'ann'), 'blocked', 'which changes nothing';
	is $ann->delete('/users/ben/block')->status, 204, 'she lifts the block';
	is_deeply blocked_by($ann), [], 'that is all';
	is may_send($ben, 'ann'), 'not_friends', 'he is no friend';
	is $ben->post('/friends/requests', {user_id => 'ann'})->status, 201, 'and may ask';
	$ben_ws->settle;
	is_deeply [map { $_->{notification}{kind} } $ben_ws->queued('notification')], ['friend_removed'], 'of blocking he was told nothing';
};

subtest 'a block of another system' => sub {
	$t->befriend(qw(cat dan));
	$t->set_blocked('cat', 'dan', 1);
	my ($cat, $dan) = ($t->http('cat'), $t->http('dan'));
	is_deeply blocked_by($cat), ['dan'], 'is in the list';
	is $dan->delete('/friends/cat')->status, 204, 'dan ends the friendship';
	is_deeply blocked_by($cat), ['dan'], 'it stays there';
	is may_send($dan, 'cat'), 'blocked', 'and holds';
	$t->befriend(qw(cat dan));
	$t->set_blocked('cat', 'dan', 1);
	is $cat->delete('/friends/dan/block')->status, 200, 'one lift takes both';
	is may_send($dan, 'cat'), 'yes', 'and he may send';
	is_deeply blocked_by($cat), [], 'nothing is left';
};

subtest 'a stranger' => sub {
	my ($eve, $fay) = ($t->http('eve'), $t->http('fay', node => 1));
	is $eve->put('/users/fay/block')->status, 204, 'one without an account is blocked';
	is may_send($fay, 'eve'), 'blocked', 'and told so where they are no friends, at once, on the other node';
	my $r = $eve->get('/users/blocked');
	is_shape $r->json, {items => [$PROFILE], next_cursor => 'string?'}, 'the list is of profiles';
	is_deeply $r->json, {items => [{user_id => 'fay', nickname => undef, avatar_url => undef, created_at => undef}], next_cursor => undef}, 'which may be null';
	is $eve->put('/users/fay/block')->status, 204, 'twice';
	is $eve->delete('/users/fay/block')->status, 204, 'lifted';
	is $eve->delete('/users/fay/block')->status, 204, 'twice';
	is may_send($fay, 'eve'), 'not_friends', 'as before';
	refused "$_ oneself", $eve->request($_, '/users/eve/block'), 400, 'invalid_argument', qr/user_id/ for qw(PUT DELETE);
	refused 'no user id', $eve->put('/users/a%20b/block'), 404, 'not_found';
	refused 'without a token', $t->http(undef)->put('/users/fay/block'), 401, 'token_invalid';
	refused 'another method', $r = $eve->get('/users/fay/block'), 405, 'method_not_allowed';
	is $r->header('allow'), 'PUT, DELETE', 'with Allow';
	refused $_, $eve->get("/users/blocked?$_"), 400, 'invalid_argument' for qw(limit=0 limit=101 limit=x cursor=a%20b);
};

# How ben sees ann: in his friends, his conversations, and when watching her.
sub sees {
	my ($http, $ws, $whom) = @_;
	my ($f) = grep { $_->{user}{user_id} eq $whom } @{$http->get('/friends')->json->{items}};
	my ($c) = grep { $_->{peer}{user_id} eq $whom } @{$http->get('/messages/conversations')->json->{items}};
	my ($w) = @{$ws->request(type => 'watch', user_ids => [$whom])->{users}};
	return join ' ', map { $_->{online} ? 'online' : 'offline' } $f, $c->{peer}, $w;
}

subtest 'the blocker is offline' => sub {
	my ($ann, $ann_ws) = ($t->http('ann2'), $t->ws('ann2'));
	my ($ben, $ben_ws) = ($t->http('ben2', node => 1), $t->ws('ben2', node => 1));
	my $told = sub { my $e = $ben_ws->expect('presence', user_id => 'ann2'); return $e->{online} ? 'online' : 'offline' };
	$t->befriend(qw(ann2 ben2));
	is may_send($ann, 'ben2'), 'yes', 'they talk';
	is sees($ben, $ben_ws, 'ann2'), 'online online online', 'ben sees ann';
	is $ann->put('/users/ben2/block')->status, 204, 'who blocks him';
	is $told->(), 'offline', 'he is told that she has gone, on another node';
	is sees($ben, $ben_ws, 'ann2'), 'offline offline offline', 'and sees that wherever he looks';
	is $ann->delete('/users/ben2/block')->status, 204, 'she lifts it';
	is $told->(), 'online', 'and he is told that she is there';
	# A block from before they were friends, which another system has made them.
	$dbh->do("INSERT INTO blocks (user_id, blocked_id) VALUES ('ann2', 'ben2')");
	is $dbh->selectrow_array("SELECT SUM(blocked) FROM friendships WHERE user_id IN ('ann2', 'ben2')"), 0, 'a block that the friendship does not show';
	is sees($ben, $ben_ws, 'ann2'), 'offline offline offline', 'counts as well';
	my ($f) = @{$ann->get('/friends')->json->{items}};
	ok $f->{blocked}, 'and the blocker sees it';
	is $ann->delete('/friends/ben2/block')->json->{blocked}, JSON::PP::false, 'and can lift it as of a friend';
	is $told->(), 'online', 'and all is as before';
	is may_send($ben, 'ann2'), 'yes', 'for both';
};

subtest 'requests that are pending' => sub {
	users(qw(gus hal));
	my ($gus, $hal) = ($t->http('gus'), $t->http('hal'));
	my $hal_ws = $t->ws('hal');
	for ([$gus, 'hal'], [$hal, 'gus']) {
		my ($from, $to) = @$_;
		is $from->post('/friends/requests', {user_id => $to})->status, 201, "$to is asked";
		$hal_ws->expect('notification') if $to eq 'hal';
		is $gus->put('/users/hal/block')->status, 204, 'gus blocks hal';
		is_deeply [map { requests($gus, $_), requests($hal, $_) } qw(in out)], [([]) x 4], 'the request is gone';
		refused 'and cannot be accepted', $hal->put('/friends/requests/gus/accept'), 403, 'blocked';
		$gus->delete('/users/hal/block');
		refused 'nor later', $_->[0]->put("/friends/requests/$_->[1]/accept"), 404, 'not_found' for [$hal, 'gus'], [$gus, 'hal'];
	}
	$hal_ws->settle;
	is_deeply [$hal_ws->queued('notification')], [], 'of which nobody was told';
	is $hal->post('/friends/requests', {user_id => 'gus'})->status, 201, 'it was no decline';
};

subtest 'a request and a block at one moment' => sub {
	my @left;
	for my $round (1 .. 30) {
		my ($blocker, $asker) = users("k$round", "l$round");
		my ($b, $a) = ($t->http($blocker), $t->http($asker, node => 1));
		my @both = $round % 2 ? ($a, $b) : ($b, $a);
		for (@both) {
			$_->send_request('POST', '/friends/requests', json => {user_id => $blocker}) if $_ == $a;
			$_->send_request('PUT', "/users/$asker/block") if $_ == $b;
		}
		my ($asked, $blocked) = ($a->response, $b->response);
		push @left, "$round: " . $asked->status . ' ' . $blocked->status if $blocked->status != 204 || $asked->status != 201 && $asked->code ne 'blocked';
		push @left, "$round: pending" if @{requests($b, 'in')};
	}
	is_deeply \@left, [], 'the block has the last word';
};

subtest 'a block and what ends or makes a friendship, at one moment' => sub {
	my @wrong;
	for my $round (1 .. 40) {
		my ($blocker, $other) = users("m$round", "n$round");
		my $accepts = $round % 2;
		set_state($blocker, $other, {is => $accepts ? 'asked' : 'friends', mine => '', theirs => ''});
		my ($b, $o) = ($t->http($blocker), $t->http($other, node => 1));
		my @both = ([$b, 'PUT', "/users/$other/block"], $accepts ? [$o, 'PUT', "/friends/requests/$blocker/accept"] : [$o, 'DELETE', "/friends/$blocker"]);
		$_->[0]->send_request(@$_[1, 2]) for $round % 4 < 2 ? @both : reverse @both;
		my @got = map { my $r = $_->[0]->response; $r->status >= 400 ? $r->code : $r->status } @both;
		my $now = join ' ', @got, may_send($o, $blocker), $o->post('/friends/requests', {user_id => $blocker})->code, map { scalar @$_ } blocked_by($b), requests($b, 'in'), requests($o, 'in');
		push @wrong, "$round: $now" if $now !~ ($accepts ? qr/\A204 (?:200|blocked) blocked blocked 1 0 0\z/ : qr/\A204 204 blocked blocked 1 0 0\z/);
		my %says = map { $_->{user}{user_id} => $_->{blocked} } @{$b->get('/friends')->json->{items}};
		push @wrong, "$round: the friendship does not say so" if grep { !$_ } values %says;
	}
	is_deeply \@wrong, [], 'the block is there, whatever else is';
};

subtest 'many' => sub {
	$dbh->do("INSERT INTO blocks (user_id, blocked_id) SELECT 'full', CONCAT('f', LPAD(seq, 5, '0')) FROM seq_1_to_9999");
	my $full = $t->http('full');
	$t->befriend(qw(full f00000));
	$t->set_blocked('full', 'f00000', 1);
	my ($cursor, @seen) = ('');
	do {
		my $page = $full->get('/users/blocked?limit=100' . ($cursor ne '' ? "&cursor=$cursor" : ''))->json;
		push @seen, map { $_->{user_id} } @{$page->{items}};
		$cursor = $page->{next_cursor} // '';
	} while ($cursor ne '' && @seen < 20_000);
	is scalar @seen, 10_000, 'pages by key';
	is_deeply \@seen, [map { sprintf 'f%05d', $_ } 0 .. 9999], 'in order, each once, from both tables';
	is $full->put('/users/last/block')->status, 204, 'ten thousand are blocked';
	refused 'and no more', $full->put('/users/more/block'), 409, 'conflict', qr/10000/;
	is $full->put('/users/last/block')->status, 204, 'but one of them again';
	is $full->delete('/users/f00001/block')->status, 204, 'one is lifted';
	is $full->put('/users/more/block')->status, 204, 'and there is room';
};

$t->stop;
done_testing;
