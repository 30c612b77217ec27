# SPDX-License-Identifier: BSD-2-Clause
# Proves messages that expire (contract, section 8): what `expires_in` may be, when the server recalls them and what the
# others are told, what a repeat of the send answers, counts and catching up, a conversation's default, and that each is
# recalled once: by a user or by the server, few or many at a time, and with a node whose clock is wrong.
use Tidings;
use Tidings::Shape;
use JSON::PP ();

my $t = Tidings->start(workers => 2);
$t->befriend(qw(alice bob carol));
my ($alice, $bob, $carol) = map { $t->api($_) } qw(alice bob carol);
my $dbh = $t->dbh;

sub one { my ($http, $m) = @_; return $http->get("/messages/$m->{id}")->json }
sub counts { my ($http) = @_; my $c = $http->get('/messages/unread-count')->json; return [@$c{qw(unread_count mention_count)}] }
sub send_expiring { my ($http, $secs, $to, $content, %more) = @_; return $http->post('/messages/send', {%{$to =~ /\A\d+\z/ ? text_in($to, $content) : text_to($to, $content)}, expires_in => $secs, %more})->json }
sub is_gone { my ($http, $m) = @_; return one($http, $m)->{is_recalled} }
sub due { return $dbh->selectrow_array('SELECT COUNT(*) FROM expiries') }
# By what the database says.
sub lasts { my ($m) = @_; return 0 + $dbh->selectrow_array('SELECT TIMESTAMPDIFF(MICROSECOND, created_at, expires_at) / 1000000 FROM messages WHERE id = ?', undef, $m->{id}) }
# Moves all that are to expire, for the clocks move everything.
sub later {
	my ($secs) = @_;
	$dbh->begin_work;
	$dbh->do("UPDATE messages m JOIN expiries e ON e.message_id = m.id SET m.expires_at = m.expires_at - INTERVAL $secs SECOND");
	$dbh->do("UPDATE expiries SET expires_at = expires_at - INTERVAL $secs SECOND ORDER BY expires_at");
	return $dbh->commit;
}
my @GONE = qw(content media_url extra entities forwarded_from);

subtest 'a direct conversation' => sub {
	my @ws = my ($wa, $wa2, $wb) = ($t->ws('alice'), $t->ws('alice', name => 'alice 2'), $t->ws('bob'));
	my $m = $wa->request(type => 'send', %{text_to('bob', 'soon gone', client_msg_id => 'x1', expires_in => 60, mentions => ['bob'])})->{message};
	is_shape $m, $MESSAGE, 'a message';
	is lasts($m), 60, 'it lasts as long as it says';
	is_deeply $_->expect('message')->{message}, $m, "as $_->{name} has it" for $wa2, $wb;
	is_deeply one($bob, $m), $m, 'and as it is read';
	my $kept = $t->send_text('alice', 'bob', 'kept');
	is $kept->{expires_at}, undef, 'another one does not expire';
	$_->expect('message') for @ws;
	is_deeply counts($bob), [2, 1], 'both are unread';
	$t->node->clock(58);
	$wa->settle;
	ok !is_gone($bob, $m), 'not before its time';
	$t->node->clock(3);
	for my $ws (@ws) {
		my $e = $ws->expect('recalled');
		is_shape $e, {type => 'string', conversation_id => 'id', message_id => 'id', seq => 'int', change_seq => 'int', recalled_at => 'time', reason => 'string'}, "recalled, to $ws->{name}";
		is_deeply [@$e{qw(message_id seq change_seq reason)}], [$m->{id}, $m->{seq}, 1, 'expired'], 'it says why';
		ok $e->{recalled_at} ge $m->{expires_at}, 'after its time';
	}
	my $gone = one($alice, $m);
	is_deeply [@$gone{@GONE}, $gone->{mentions}, $gone->{reactions}], [(undef) x @GONE, [], []], 'nothing of it is left';
	is_deeply [@$gone{qw(expires_at client_msg_id seq)}, !!$gone->{is_recalled}], [@$m{qw(expires_at client_msg_id seq)}, !!1], 'but its place and its times';
	is_deeply one($bob, $m), $gone, 'for both sides';
	is_deeply counts($bob), [1, 0], 'it is not unread, and mentions nobody';
	is_deeply one($bob, $kept), $kept, 'the other one stays';
	is $alice->put("/messages/$m->{id}/recall")->status, 200, 'recalling it changes nothing';
	$_->settle for @ws;
	is_deeply [grep { $_ ne 'resync' } map { map { $_->{type} } $_->queued } @ws], [], 'and tells nobody';
	is due(), 0, 'nothing is due any more';
	$_->abort for @ws;
};

subtest 'what it may be' => sub {
	for my $bad (4, 31536001, 1.5, '5', 0, -5, JSON::PP::true, [5], {}) {
		my $shown = JSON::PP->new->allow_nonref->canonical->encode($bad);
		refused("expires_in $shown", $alice->post('/messages/send', text_to('bob', 'x', expires_in => $bad)), 400, 'invalid_argument', qr/^expires_in/);
	}
	my $ws = $t->ws('alice');
	is $ws->request(type => 'send', %{text_to('bob', 'x', expires_in => 4)})->{code}, 'invalid_argument', 'in a frame likewise';
	$ws->abort;
	for my $good (5, 31536000) {
		my $m = send_expiring($alice, $good, 'bob', 'x');
		is lasts($m), $good, "$good are taken";
		$alice->put("/messages/$m->{id}/recall");
	}
	is $alice->post('/messages/send', text_to('bob', 'x', expires_in => undef))->json->{expires_at}, undef, 'null is none';
	my $image = $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'image', media_url => 'https://x.example/y', content => 'cat', extra => {width => 7}, expires_in => 30})->json;
	is lasts($image), 30, 'a picture may expire, too';
	is due(), 1, 'what is recalled is due no more';
	later(31);
	wait_for('the picture to be due no more', sub { !due() });
	my $gone = one($bob, $image);
	is_deeply [@$gone{@GONE}, !!$gone->{is_recalled}], [(undef) x @GONE, !!1], 'and goes whole';
};

subtest 'a repeat of the send' => sub {
	my $m = send_expiring($alice, 600, 'bob', 'once', client_msg_id => 'r1');
	my $again = $alice->post('/messages/send', text_to('bob', 'once', client_msg_id => 'r1', expires_in => 600));
	is_deeply [$again->status, $again->json], [200, $m], 'with the same';
	refused('with another', $alice->post('/messages/send', text_to('bob', 'once', client_msg_id => 'r1', expires_in => 601)), 409, 'client_msg_id_reused');
	refused('without any', $alice->post('/messages/send', text_to('bob', 'once', client_msg_id => 'r1')), 409, 'client_msg_id_reused');
	$alice->post('/messages/send', text_to('bob', 'plain', client_msg_id => 'r2'));
	refused('with one where there was none', $alice->post('/messages/send', text_to('bob', 'plain', client_msg_id => 'r2', expires_in => 600)), 409, 'client_msg_id_reused');
	later(601);
	wait_for('it to be recalled', sub { is_gone($alice, $m) });
	is_deeply $alice->post('/messages/send', text_to('bob', 'other', client_msg_id => 'r1'))->json, one($alice, $m), 'of one that has expired only the recipient is compared';
	my $u = Tidings->start(workers => 1, conf => {limits => {sends_per_second => 1, burst => 1}});
	$u->befriend(qw(alice bob));
	my $first = send_expiring($u->api('alice'), 600, 'bob', 'once', client_msg_id => 'r1');
	my $r;
	wait_for('the rate to be used up', sub { $u->api('alice')->post('/messages/send', text_to('bob', 'more'))->status == 429 });
	is_deeply $u->api('alice')->post('/messages/send', text_to('bob', 'once', client_msg_id => 'r1', expires_in => 600))->json, $first, 'past the rate likewise';
	is $u->api('alice')->post('/messages/send', text_to('bob', 'once', client_msg_id => 'r1', expires_in => 700))->code, 'client_msg_id_reused', 'and compared';
	my $set = $u->api('alice')->put("/messages/conversations/$first->{conversation_id}/settings", {expires_in => 60});
	refused('a default, which the other side is told of, counts as a message', $set, 429, 'rate_limited');
	is $u->api('alice')->put("/messages/conversations/$first->{conversation_id}/settings", {pinned => JSON::PP::true})->status, 200, 'what is their own does not';
	$u->stop;
};

subtest 'what is done to it before' => sub {
	my ($edited, $recalled, $deleted, $both, $read, $quoted) = map { send_expiring($alice, 60, 'bob', $_) } qw(edited recalled deleted both read quoted);
	my $e = $alice->put("/messages/$edited->{id}", {content => 'rewritten'})->json;
	is $e->{expires_at}, $edited->{expires_at}, 'an edit changes nothing of its time';
	$alice->put("/messages/$recalled->{id}/recall");
	$bob->delete("/messages/$_->{id}") for $deleted, $both;
	$alice->delete("/messages/$both->{id}");
	$bob->put("/messages/$read->{id}/read");
	my $was = one($alice, $recalled);
	my $before = counts($bob);
	my $seq = $alice->get("/messages/conversations/$edited->{conversation_id}")->json->{change_seq};
	my $wb = $t->ws('bob');
	later(61);
	wait_for('all to be due no more', sub { !due() });
	my %told = map { $_->{message_id} => $_->{reason} } map { $wb->expect('recalled') } 1 .. 5;
	is_deeply \%told, {map { $_->{id} => 'expired' } $edited, $deleted, $both, $read, $quoted}, 'each is told once';
	is_deeply one($alice, $recalled), $was, 'one that was recalled is as it was';
	is_deeply [@{one($bob, $edited)}{qw(content edited_at)}], [undef, $e->{edited_at}], 'the edited one is gone';
	is one($alice, $deleted)->{is_recalled}, JSON::PP::true, 'also for who has not deleted it';
	refused('who has does not see it', $bob->get("/messages/$deleted->{id}"), 404, 'not_found');
	is_deeply counts($bob), [$before->[0] - 2, $before->[1]], 'those that were unread are not any more';
	is $t->send_text('bob', 'alice', 'a quote', reply_to => $quoted->{id})->{reply_to}, $quoted->{id}, 'one that has expired can be replied to';
	refused('but not edited', $alice->put("/messages/$quoted->{id}", {content => 'x'}), 409, 'conflict');
	my $sync = $bob->post('/messages/sync', {conversations => [{id => $edited->{conversation_id}, seq => $quoted->{seq}, change_seq => $seq}], since => undef})->json->{conversations}[0];
	is_deeply [map { $_->{kind} } @{$sync->{changes}}], [('recalled') x 5], 'who was away learns of each';
	is_deeply [map { $_->{id} } grep { $_->{is_recalled} } @{$sync->{updated}}], [map { $_->{id} } $edited, $read, $quoted], 'and of those that they see, as they are now';
	$wb->abort;
};

subtest 'reactions and pins go with it' => sub {
	my ($m, $kept) = (send_expiring($alice, 60, 'bob', 'liked'), $t->send_text('alice', 'bob', 'liked, too'));
	for my $one ($m, $kept) {
		$bob->put("/messages/$one->{id}/reactions/%2B1");
		$alice->put("/messages/$one->{id}/pin");
	}
	later(61);
	wait_for('it to expire', sub { is_gone($bob, $m) });
	is_deeply one($alice, $m)->{reactions}, [], 'it has no reactions';
	is_deeply [map { $_->{id} } @{$bob->get("/messages/conversations/$m->{conversation_id}/pins")->json->{items}}], [$kept->{id}], 'and is not pinned';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM reactions WHERE message_id = ?', undef, $m->{id}), 0, 'no row is left';
	refused('nobody reacts to it', $bob->put("/messages/$m->{id}/reactions/%2B1"), 409, 'conflict');
};

subtest 'a group' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	my $m = send_expiring($bob, 60, $g, 'to all', mentions => ['carol']);
	is_shape $m, $GROUP_MESSAGE, 'a message';
	my $was = counts($carol);
	my $leaver = send_expiring($carol, 60, $g, 'bye');
	$carol->delete("/groups/$g/members/carol");
	my @ws = my ($wa, $wb) = map { $t->ws($_) } qw(alice bob);
	my $wc = $t->ws('carol');
	later(61);
	for my $ws (@ws) {
		my %of = map { $_->{message_id} => $_ } map { $ws->expect('recalled') } 1, 2;
		is_shape $of{$m->{id}}, {type => 'string', conversation_id => 'id', message_id => 'id', seq => 'int', change_seq => 'int', recalled_at => 'time', by => 'null', reason => 'string'}, "recalled, to $ws->{name}";
		is $of{$leaver->{id}}{reason}, 'expired', 'also what one has sent who has left';
	}
	$wc->settle;
	is_deeply [grep { $_->{type} eq 'recalled' } $wc->queued], [], 'who hears of it no more';
	is one($alice, $_)->{content}, undef, 'it is gone' for $m, $leaver;
	is_deeply [$t->recount_faults], [], 'the counts agree';
	my $last = send_expiring($bob, 60, $g, 'the last one');
	$alice->delete("/groups/$g");
	later(61);
	is $wb->expect('message')->{message}{id}, $last->{id}, 'a message';
	is $wb->wait_event('the recall', sub { $_[0]{type} eq 'recalled' })->{message_id}, $last->{id}, 'in a group that is dissolved they expire as well';
	$_->abort for @ws, $wc;
};

sub set { my ($http, $id, %what) = @_; return $http->put("/messages/conversations/$id/settings", \%what) }
sub default_of { my ($http, $id) = @_; return $http->get("/messages/conversations/$id")->json->{settings}{expires_in} }

subtest 'the default of a direct conversation' => sub {
	my $id = $t->send_text('alice', 'bob', 'before')->{conversation_id};
	is default_of($_, $id), undef, 'there is none at first' for $alice, $bob;
	my $since = $bob->post('/messages/sync', {conversations => [], since => undef})->json->{cursor};
	my @ws = my ($wa, $wa2, $wb) = ($t->ws('alice'), $t->ws('alice', name => 'alice 2'), $t->ws('bob'));
	my $r = set($alice, $id, expires_in => 600, pinned => JSON::PP::true);
	is $r->status, 200, 'one side sets it' or diag($r->body);
	is_shape $r->json, $CONVERSATION, 'a conversation';
	is $r->json->{settings}{expires_in}, 600, 'with it';
	ok $r->json->{settings}{pinned_at}, 'and what else was given';
	for my $ws (@ws) {
		my $c = $ws->expect('conversation')->{conversation};
		is_shape $c, $CONVERSATION, "$ws->{name} is told";
		is_deeply [$c->{settings}{expires_in}, $c->{peer}{user_id}, !!$c->{settings}{pinned_at}], [600, $ws == $wb ? 'alice' : 'bob', $ws != $wb], 'each as they see it';
	}
	is default_of($_, $id), 600, 'both have it' for $alice, $bob;
	my ($listed) = grep { $_->{id} eq $id } @{$bob->get('/messages/conversations?limit=100')->json->{items}};
	is $listed->{settings}{expires_in}, 600, 'and the list';
	my ($synced) = map { $_->{conversation} } grep { $_->{conversation}{id} eq $id } @{$bob->post('/messages/sync', {conversations => [{id => $id, seq => $listed->{last_message}{seq}, change_seq => $listed->{change_seq}}], since => $since})->json->{conversations}};
	is $synced->{settings}{expires_in}, 600, 'who was away learns of it';
	is default_of($alice, $id), 600, 'what is not given stays' if set($alice, $id, pinned => undef)->status == 200;
	$_->expect('conversation') for $wa, $wa2;
	set($bob, $id, expires_in => 600);
	$_->settle for @ws;
	is_deeply [map { map { $_->{type} } $_->queued } @ws], [], 'the same again is told nobody';
	is set($bob, $id, expires_in => undef)->json->{settings}{expires_in}, undef, 'the other side may clear it';
	is $_->expect('conversation')->{conversation}{settings}{expires_in}, undef, "$_->{name} is told" for @ws;
	for my $bad (4, 31536001, 1.5, '5', 0, JSON::PP::false, []) {
		my $shown = JSON::PP->new->allow_nonref->canonical->encode($bad);
		refused("expires_in $shown", set($alice, $id, expires_in => $bad), 400, 'invalid_argument', qr/^expires_in/);
	}
	refused('a stranger', set($t->api('stranger'), $id, expires_in => 60), 404, 'not_found');
	my $then = $t->send_text('alice', 'carol', 'friends')->{conversation_id};
	$carol->put('/users/alice/block');
	refused('one who is blocked', set($alice, $then, expires_in => 60, pinned => JSON::PP::true), 403, 'blocked');
	$carol->delete('/users/alice/block');
	$carol->delete('/friends/alice');
	refused('one who is no friend any more', set($alice, $then, expires_in => 60), 403, 'not_friends');
	is_deeply [@{$alice->get("/messages/conversations/$then")->json->{settings}}{qw(expires_in pinned_at)}], [undef, undef], 'nothing is set then';
	is set($alice, $then, pinned => undef)->status, 200, 'what is their own they still set';
	$t->befriend(qw(alice carol));
	$_->abort for @ws;
};

subtest 'the default of a group' => sub {
	my $g = $t->group('alice', [qw(bob carol)]);
	$alice->put("/groups/$g/members/carol", {role => 'admin'});
	my @ws = my ($wb, $wc) = map { $t->ws($_) } qw(bob carol);
	refused('a member', set($bob, $g, expires_in => 600, pinned => JSON::PP::true), 403, 'forbidden');
	is_deeply [@{$bob->get("/messages/conversations/$g")->json->{settings}}{qw(expires_in pinned_at)}], [undef, undef], 'sets nothing by that';
	refused('a stranger', set($t->api('stranger'), $g, expires_in => 600), 404, 'not_found');
	my $r = set($carol, $g, expires_in => 600, pinned => JSON::PP::true);
	is_shape $r->json, $GROUP, 'an admin does' or diag($r->body);
	is_deeply [$r->json->{settings}{expires_in}, !!$r->json->{settings}{pinned_at}], [600, !!1], 'with what is their own';
	for my $ws (@ws) {
		my $m = $ws->wait_event('the message', sub { $_[0]{type} eq 'message' })->{message};
		is_deeply [@$m{qw(from_user_id extra)}], ['carol', {event => 'changed', user_ids => []}], "a system message tells $ws->{name}";
		my $c = $ws->wait_event('the group', sub { $_[0]{type} eq 'conversation' && defined $_[0]{conversation}{settings}{expires_in} })->{conversation};
		is $c->{settings}{expires_in}, 600, 'and the group is shown';
	}
	is default_of($_, $g), 600, 'all have it' for $alice, $bob;
	my $seq = $bob->get("/groups/$g")->json->{last_message}{seq};
	is set($alice, $g, expires_in => 600)->status, 200, 'the same again';
	is $bob->get("/groups/$g")->json->{last_message}{seq}, $seq, 'is told nobody';
	is set($alice, $g, expires_in => undef)->json->{settings}{expires_in}, undef, 'the owner clears it';
	is default_of($bob, $g), undef, 'for all';
	$alice->put("/groups/$g", {name => 'other'});
	is default_of($bob, $g), undef, 'and it stays so';
	set($alice, $g, expires_in => 60);
	$alice->put("/groups/$g", {name => 'yet another'});
	is default_of($bob, $g), 60, 'another change leaves it';
	$alice->delete("/groups/$g");
	refused('of a dissolved one', set($alice, $g, expires_in => 600), 409, 'group_dissolved');
	$_->abort for @ws;
};

subtest 'what is sent then' => sub {
	my $g = $t->group('alice', ['bob']);
	my $direct = $t->send_text('alice', 'carol', 'before')->{conversation_id};
	for my $case ([$direct, 'carol'], [$g, $g]) {
		my ($id, $to) = @$case;
		# So that the next one is sent in a single round trip, by what is remembered of the conversation.
		$alice->post('/messages/send', $to eq $g ? text_in($g, 'warm') : text_to($to, 'warm')) for 1 .. 3;
		set($alice, $id, expires_in => 90);
		my $body = sub { my ($text, %more) = @_; return {%{$to eq $g ? text_in($g, $text) : text_to($to, $text)}, %more} };
		my @m = map { $alice->post('/messages/send', $body->("of $_", client_msg_id => "d$id.$_"))->json } 1 .. 3;
		is_deeply [map { lasts($_) } @m], [90, 90, 90], "has it ($to)";
		my $own = $alice->post('/messages/send', $body->('own', client_msg_id => "d$id.own", expires_in => 30))->json;
		is lasts($own), 30, 'but for what says something else';
		is_deeply [map { lasts($alice->post('/messages/send', $body->('own 90', client_msg_id => "d$id.90", expires_in => 90))->json) } 1, 2], [90, 90], 'or the same';
		my $copy = $alice->post('/messages/forward', {message_ids => [$own->{id}], to => [{conversation_id => $id}]})->json->{results}[0]{messages}[0];
		is lasts($copy), 90, 'a copy that was forwarded there has it, not that of its source';
		set($alice, $id, expires_in => undef);
		my $again = $alice->post('/messages/send', $body->('of 1', client_msg_id => "d$id.1"));
		is_deeply [$again->status, $again->json], [200, $m[0]], 'a repeat is one, whatever the default is now';
		refused('one with a time of its own is another', $alice->post('/messages/send', $body->('of 1', client_msg_id => "d$id.1", expires_in => 90)), 409, 'client_msg_id_reused');
		refused('and one without', $alice->post('/messages/send', $body->('own 90', client_msg_id => "d$id.90")), 409, 'client_msg_id_reused');
		is $alice->post('/messages/send', $body->('after'))->json->{expires_at}, undef, 'later ones do not expire';
	}
	set($alice, $g, expires_in => 5);
	$alice->put("/groups/$g", {name => 'another'});
	my @system = grep { $_->{message_type} eq 'system' } @{$bob->get("/messages/conversations/$g/messages")->json->{items}};
	is_deeply [grep { defined $_->{expires_at} } @system], [], 'what the server says itself does not expire';
	set($alice, $g, expires_in => undef);
	later(91);
	wait_for('all to expire', sub { !due() });
	is_deeply [$t->recount_faults], [], 'the counts agree';
};

subtest 'at once' => sub {
	my @http = map { $t->http($_ % 2 ? 'alice' : 'bob') } 1 .. 6;
	my %ended;
	for my $round (1 .. 10) {
		my @m = map { send_expiring($alice, 60, 'bob', "race $_") } 1 .. 4;
		my $seq = $bob->get("/messages/conversations/$m[0]{conversation_id}")->json->{change_seq};
		later(61);
		# The looks come once a second: as much as fits into one.
		wait_for('all to end', sub {
			$http[0]->send_request('PUT', "/messages/$m[0]{id}", json => {content => 'edit ' . rand});
			$http[1]->send_request('PUT', "/messages/$m[1]{id}/read", json => {});
			$http[3]->send_request('DELETE', "/messages/$m[3]{id}");
			$http[5]->send_request('PUT', "/messages/conversations/$m[0]{conversation_id}/read", json => {});
			$_->response for @http[0, 1, 3, 5];
			return !due();
		});
		my $sync = $alice->post('/messages/sync', {conversations => [{id => $m[0]{conversation_id}, seq => $m[3]{seq}, change_seq => $seq}], since => undef, limit => 100})->json->{conversations}[0];
		my %recalled;
		$recalled{$_->{message_id}}++ for grep { $_->{kind} eq 'recalled' } @{$sync->{changes}};
		is_deeply \%recalled, {map { $_->{id} => 1 } @m}, 'each is recalled once';
		$ended{$_->{kind}}++ for @{$sync->{changes}};
	}
	note join ', ', map { "$ended{$_} $_" } sort keys %ended;
	is_deeply [$t->recount_faults], [], 'the counts agree';
};

subtest 'the clock of a node' => sub {
	my $m = send_expiring($alice, 1200, 'bob', 'in half an hour');
	$t->node->wall_clock(1800);
	my $next = send_expiring($alice, 5, 'bob', 'in a moment');
	wait_for('the other one to expire', sub { is_gone($bob, $next) });
	ok !is_gone($bob, $m), 'does not count';
	my ($late) = $dbh->selectrow_array('SELECT TIMESTAMPDIFF(MICROSECOND, expires_at, recalled_at) / 1000000 FROM messages WHERE id = ?', undef, $next->{id});
	cmp_ok $late, '<', 5, "within 5 s ($late)";
	$t->node->wall_clock(-1800);
};

subtest 'many, and all were due long ago' => sub {
	my $g = $t->group('alice', ['bob']);
	my $n = 700;
	$t->node->stop;
	# As if as many had been sent while it was there.
	$dbh->do(q{INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at, expires_at, expires_in)
		SELECT (? << 28) + 1 + seq, 'alice', '', 0, 'x', CONCAT('many', seq), UTC_TIMESTAMP(3) - INTERVAL 2 HOUR, UTC_TIMESTAMP(3) - INTERVAL 1 HOUR, 3600 FROM seq_1_to_700}, undef, $g);
	$dbh->do('INSERT INTO expiries (expires_at, message_id) SELECT expires_at, id FROM messages WHERE id >> 28 = ? AND expires_at IS NOT NULL', undef, $g);
	$dbh->do('UPDATE group_heads SET last_seq = 1 + ? WHERE id = ?', undef, $n, $g);
	$dbh->do(q{UPDATE members SET read_seq = 1 + ? WHERE conversation_id = ? AND user_id = 'alice'}, undef, $n, $g);
	# What nobody has sent is due as well, as is what an older release or another program has changed.
	$dbh->do('INSERT INTO expiries (expires_at, message_id) VALUES (UTC_TIMESTAMP(3) - INTERVAL 1 HOUR, (? << 28) + 100000), (UTC_TIMESTAMP(3) - INTERVAL 1 HOUR, (1 << 28) + 268435455), (UTC_TIMESTAMP(3) - INTERVAL 2 HOUR, (? << 28) + 1)', undef, $g, $g);
	my $keeps = due() - $n - 3;
	$t->node->start;
	wait_for('all of them to go', sub { due() == $keeps });
	is $dbh->selectrow_array('SELECT COUNT(*) FROM messages WHERE id >> 28 = ? AND is_recalled = 1 AND content IS NULL AND recalled_at >= expires_at', undef, $g), $n, 'each is recalled';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM changes WHERE conversation_id = ? AND kind = 0', undef, $g), $n, 'once';
	is_deeply [$t->recount_faults], [], 'the counts agree';
};

$t->stop;
done_testing;
