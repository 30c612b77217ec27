# SPDX-License-Identifier: BSD-2-Clause
# Proves forwarding (contract, section 8): copies in order and with their first author, what is refused before anything is
# sent, what becomes of each target, that a repeat doubles nothing and completes what is missing, also when writers die;
# and merged messages, whose parts are whole after the originals were recalled, and gone after their own recall.
use Tidings;
use Tidings::Shape;
use Tidings::Util qw(now);

my $t = Tidings->start(workers => 2, conf => {message => {recall_window => 3600}, limits => {sends_per_second => 1000, burst => 100000}});
$t->befriend(qw(alice bob carol dave));
my ($alice, $bob, $carol, $dave, $eve) = map { $t->api($_) } qw(alice bob carol dave eve);
my $dbh = $t->stack->dbh($t->{database});

sub forward {
	my ($http, $messages, $to, %more) = @_;
	return $http->post('/messages/forward', {message_ids => [map { '' . $_->{id} } @$messages], to => [map { /\A\d+\z/ ? {conversation_id => $_} : {user_id => $_} } @$to], %more});
}
sub results { my (@args) = @_; my $r = forward(@args); is $r->status, 200, 'forwarded' or diag($r->body); return @{$r->json->{results}} }
sub one { my ($http, $m) = @_; return $http->get("/messages/$m->{id}")->json }
sub history { my ($http, $id) = @_; return @{$http->get("/messages/conversations/$id/messages?limit=100")->json->{items}} }
sub parts { my ($http, $m, $query) = @_; my $r = $http->get("/messages/$m->{id}/forwarded" . ($query // '')); return $r->status == 200 ? $r->json->{items} : $r->status }
sub author { my ($m, $nickname) = @_; return {user_id => $m->{from_user_id}, nickname => $nickname, created_at => $m->{created_at}} }
sub direct { my ($http, $user) = @_; return $http->post('/messages/conversations/create', {user_id => $user})->json->{id} }
my $everything = sub { $dbh->selectrow_array('SELECT COUNT(*) FROM messages') };

subtest 'copies' => sub {
	my @ws = my ($wa, $wa2, $wd) = ($t->ws('alice'), $t->ws('alice', name => 'alice 2'), $t->ws('dave'));
	my $bold = [{type => 'bold', offset => 0, length => 2}];
	my $text = $t->api('bob')->post('/messages/send', text_to('alice', 'hello', entities => $bold, client_msg_id => 'b1', mentions => ['alice']))->json;
	my $file = $bob->post('/messages/send', {to_user_id => 'alice', message_type => 'file', media_url => 'https://x.example/y', content => 'see', extra => {file_name => 'y.pdf', size => 7}, reply_to => $text->{id}})->json;
	my $mine = $carol->post('/messages/send', text_to('alice', 'from carol'))->json;
	$_->expect('message') for map { ($_) x 3 } $wa, $wa2;
	my ($result, @more) = results($alice, [$mine, $file, $text], ['dave']);
	is_deeply [$result->{to}, scalar @more], [{user_id => 'dave'}, 0], 'one result';
	my @copy = @{$result->{messages}};
	my @sorted = sort { $a->{conversation_id} <=> $b->{conversation_id} || $a->{seq} <=> $b->{seq} } $mine, $file, $text;
	is scalar @copy, 3, 'three copies';
	for my $i (0 .. 2) {
		my ($c, $m) = ($copy[$i], $sorted[$i]);
		is_shape $c, $MESSAGE, 'a message';
		is_deeply [@$c{qw(message_type content media_url extra entities)}], [@$m{qw(message_type content media_url extra entities)}], 'with what it consists of';
		is_deeply [@$c{qw(from_user_id to_user_id client_msg_id reply_to mentions edited_at)}], ['alice', 'dave', undef, undef, [], undef], 'and nothing else';
		is_deeply $c->{forwarded_from}, author($m, ucfirst $m->{from_user_id}), 'its first author';
		is_deeply $wd->expect('message')->{message}, $c, 'pushed to the recipient';
		is_deeply $_->expect('message')->{message}, $c, "and to $_->{name}" for $wa, $wa2;
		is_deeply one($dave, $c), $c, 'as it is stored';
	}
	is_deeply [map { $_->{seq} } @copy], [1, 2, 3], 'in order';
	my ($again) = results($dave, [$copy[0]], ['carol']);
	is_deeply $again->{messages}[0]{forwarded_from}, $copy[0]{forwarded_from}, 'the copy of a copy keeps the first author';
	refused('a copy is not edited', $alice->put("/messages/$copy[0]{id}", {content => 'forged'}), 403, 'forbidden', qr/forwarded/);
	my $sticker = $t->send_text('bob', 'alice', 'x');
	$dbh->do(q(UPDATE messages SET message_type = 5, content = NULL, media_url = '/stickers/pictures/p/x.png', extra = '{"pack":"p","sticker":"s","emoji":"x"}' WHERE id = ?), undef, $sticker->{id});
	is_deeply [map { [@$_{qw(message_type content media_url extra)}] } (results($alice, [$sticker], ['carol']))[0]{messages}[0]], [map { [@$_{qw(message_type content media_url extra)}] } one($alice, $sticker)], 'a sticker as it is, whatever its pack has now';
	my $forged = $alice->post('/messages/send', text_to('bob', 'x', forwarded_from => {user_id => 'bob', nickname => 'Bob', created_at => '2026-01-01T00:00:00.000Z'}))->json;
	is $forged->{forwarded_from}, undef, 'what a client says itself is ignored';
	refused('so is the type forward', $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'forward', extra => {items => []}}), 400, 'invalid_argument', qr/^message_type/);
	my $recalled = $alice->put("/messages/$copy[1]{id}/recall")->json;
	is_deeply [@$recalled{qw(is_recalled forwarded_from content)}], [JSON::PP::true(), undef, undef], 'a copy can be recalled';
	is_deeply [$t->recount_faults], [], 'the counters are right';
	$_->abort for @ws;
};

subtest 'groups, a comment, several targets' => sub {
	my $group = $t->group('alice', [qw(bob carol)]);
	my $said = $bob->post('/messages/send', text_in("$group", '@everyone', mentions => ['alice']))->json;
	my $direct = direct($alice, 'bob');
	my $before = $alice->get('/messages/unread-count')->json->{mention_count};
	my $wb = $t->ws('bob');
	my @r = results($carol, [$said], ["$group", 'alice', 'eve', '999', "$direct"], comment => 'look');
	is_deeply [map { $_->{to} } @r], [{conversation_id => "$group"}, {user_id => 'alice'}, {user_id => 'eve'}, {conversation_id => '999'}, {conversation_id => "$direct"}], 'each target is answered, in order';
	is_deeply [map { $_->{error} ? $_->{error}{code} : [map { $_->{content} } @{$_->{messages}}] } @r],
		[['look', '@everyone'], ['look', '@everyone'], 'not_friends', 'not_found', 'not_found'], 'the comment comes first, failures are told apart';
	is_shape $r[0]{messages}[1], $GROUP_MESSAGE, 'a message of a group';
	is_deeply [map { $_->{forwarded_from} && $_->{forwarded_from}{user_id} } @{$r[0]{messages}}], [undef, 'bob'], 'the comment is the one who forwards';
	is_deeply [map { $wb->expect('message')->{message} } 1, 2], $r[0]{messages}, 'members get both';
	is $alice->get('/messages/unread-count')->json->{mention_count}, $before, 'nobody is mentioned by it';
	my @twice = results($alice, [$said, $said], ['bob', "$direct", 'bob']);
	is_deeply [map { $_->{messages} } @twice[1, 2]], [map { $_->{messages} } @twice[0, 0]], 'who is named twice gets it once';
	is scalar @{$twice[0]{messages}}, 1, 'so is a message';
	$alice->put("/groups/$group/members/bob", {muted_until => '2090-01-01T00:00:00Z'});
	$alice->put("/groups/$group", {settings => {slow_mode_seconds => 1000}});
	$dave->put('/users/bob/block');
	is_deeply [map { $_->{error}{code} } results($bob, [$said], ["$group", 'dave'])], [qw(muted blocked)], 'who may not send may not forward';
	my $pair = [$said, $r[0]{messages}[1]];
	my ($slow) = results($carol, $pair, ["$group"]);
	is_deeply [$slow->{error}{code}, $slow->{messages}], ['rate_limited', undef], 'not in slow mode' or diag(explain($slow));
	$alice->put("/groups/$group", {settings => {slow_mode_seconds => 1}});
	$t->node->clock(2);
	my ($half) = results($carol, $pair, ["$group"], client_msg_id => 'half');
	is_deeply [$half->{error}{code}, map { $_->{content} } @{$half->{messages}}], ['rate_limited', '@everyone'], 'or only one at a time, and what is stored is said';
	$t->node->clock(2);
	my ($whole) = results($carol, $pair, ["$group"], client_msg_id => 'half');
	is_deeply [$whole->{error}, $whole->{messages}[0], scalar @{$whole->{messages}}], [undef, $half->{messages}[0], 2], 'a repeat goes on behind it';
	$dave->delete('/users/bob/block');
	$t->befriend(qw(bob dave));
	$wb->abort;
	is_deeply [$t->recount_faults], [], 'the counters are right';
};

subtest 'what is refused before anything is sent' => sub {
	my ($m, $gone) = map { $t->send_text('bob', 'alice', $_) } qw(here gone);
	my $foreign = $t->send_text('bob', 'carol', 'not for alice');
	my $deleted = $t->send_text('bob', 'alice', 'deleted');
	my $group = $t->group('alice', ['bob']);
	my ($system) = history($alice, $group);
	$bob->put("/messages/$gone->{id}/recall");
	$alice->delete("/messages/$deleted->{id}");
	my $count = $everything->();
	my @to = (['dave']);
	refused('one of another conversation', forward($alice, [$m, $foreign], @to), 404, 'not_found');
	refused('one that is not there', forward($alice, [$m, {id => $m->{id} + 1000}], @to), 404, 'not_found');
	refused('one that the caller has deleted', forward($alice, [$m, $deleted], @to), 404, 'not_found');
	refused('a recalled one', forward($alice, [$m, $gone], @to), 400, 'invalid_argument', qr/^message_ids\[1\]: .*recalled/);
	refused('a system message', forward($alice, [$system, $m], @to), 400, 'invalid_argument', qr/^message_ids\[0\]: .*system/);
	$dbh->do('UPDATE messages SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id = ?', undef, $m->{id});
	refused('one that has expired', forward($alice, [$m], @to), 400, 'invalid_argument', qr/^message_ids\[0\]: .*expired/);
	$dbh->do('UPDATE messages SET expires_at = NULL WHERE id = ?', undef, $m->{id});
	refused('a stranger', forward($eve, [$m], @to), 404, 'not_found');
	my $no = sub { my ($name, $body, $detail) = @_; return refused($name, $alice->post('/messages/forward', $body), 400, 'invalid_argument', $detail) };
	my @fine = (message_ids => ["$m->{id}"], to => [{user_id => 'dave'}]);
	$no->('nothing', {}, qr/^message_ids/);
	$no->('no messages', {@fine, message_ids => []}, qr/^message_ids/);
	$no->('too many', {@fine, message_ids => [map { '' . ($m->{id} + $_) } 0 .. 100]}, qr/^message_ids/);
	$no->('an id as a number', {@fine, message_ids => ["$m->{id}", 7]}, qr/^message_ids\[1\]/);
	$no->('no target', {@fine, to => []}, qr/^to/);
	$no->('too many targets', {@fine, to => [map { {user_id => "u$_"} } 0 .. 20]}, qr/^to/);
	$no->('a target that is none', {@fine, to => ['dave']}, qr/^to\[0\]/);
	$no->('one of both kinds', {@fine, to => [{user_id => 'dave'}, {user_id => 'dave', conversation_id => '1'}]}, qr/^to\[1\]/);
	$no->('one of no kind', {@fine, to => [{}]}, qr/^to\[0\]/);
	$no->('a bad user', {@fine, to => [{user_id => 'a b'}]}, qr/^to\[0\]\.user_id/);
	$no->('oneself', {@fine, to => [{user_id => 'alice'}]}, qr/^to\[0\]\.user_id/);
	$no->('a bad conversation', {@fine, to => [{conversation_id => 7}]}, qr/^to\[0\]\.conversation_id/);
	$no->('merged', {@fine, merged => 'yes'}, qr/^merged/);
	$no->('an empty comment', {@fine, comment => ''}, qr/^comment/);
	$no->('a long one', {@fine, comment => 'x' x 16385}, qr/^comment/);
	$no->('client_msg_id', {@fine, client_msg_id => 'a b'}, qr/^client_msg_id/);
	is $t->http(undef)->post('/messages/forward', {@fine})->status, 401, 'nobody without a token';
	is $everything->(), $count, 'nothing was sent by any of them';
};

subtest 'repeats' => sub {
	my @m = map { $t->send_text('bob', 'alice', "r$_") } 1 .. 3;
	my @first = results($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c');
	is_deeply [map { $_->{error} ? $_->{error}{code} : scalar @{$_->{messages}} } @first], [4, 'not_friends', 4], 'sent';
	my $count = $everything->();
	is_deeply [results($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c')], \@first, 'the same again';
	is $everything->(), $count, 'nothing is doubled';
	is_deeply [grep { $_ && /\A / } map { $_->{client_msg_id} } map { @{$_->{messages} // []} } @first], [], 'their ids are nobody\'s business';
	$bob->put("/messages/$m[0]{id}", {content => 'edited since'});
	$dbh->do("UPDATE users SET nickname = 'Robert' WHERE id = 'bob'");
	is_deeply [results($alice, [reverse @m], [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c')], \@first, 'also where the original and its author have changed';
	refused('other messages', forward($alice, [@m[0, 1]], [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c'), 409, 'client_msg_id_reused');
	refused('another comment', forward($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f1', comment => 'd'), 409, 'client_msg_id_reused');
	refused('merged', forward($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c', merged => JSON::PP::true()), 409, 'client_msg_id_reused');
	refused('other targets', forward($alice, \@m, [qw(carol eve)], client_msg_id => 'f1', comment => 'c'), 409, 'client_msg_id_reused');
	$t->befriend(qw(alice eve));
	my @then = results($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c');
	is_deeply [$then[0], [map { $_->{content} } @{$then[1]{messages}}]], [$first[0], ['c', 'edited since', 'r2', 'r3']], 'what was missing is sent';
	$t->unfriend(qw(alice carol));
	is_deeply [(results($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c'))[0]], [$first[0]], 'what is stored is answered before friendship';
	$t->befriend(qw(alice carol));
	my $plain = $alice->post('/messages/send', text_to('bob', 'x', client_msg_id => 'f1'));
	is $plain->status, 201, 'a send may have that client_msg_id as well';
	$bob->put("/messages/$m[1]{id}/recall");
	is_deeply [results($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f1', comment => 'c')], \@then, 'after one of them was recalled it is answered as it was sent';
	refused('sent anew it is not', forward($alice, \@m, [qw(carol eve dave)], client_msg_id => 'f2', comment => 'c'), 400, 'invalid_argument', qr/^message_ids\[1\]/);
	my @twice = map { $t->http('alice') } 1 .. 3;
	$_->send_request(POST => '/messages/forward', json => {message_ids => [$m[0]{id}, $m[2]{id}], to => [{user_id => 'dave'}], client_msg_id => 'at-once'}) for @twice;
	my @answers = map { $_->response->json->{results} } @twice;
	is_deeply [@answers[1, 2]], [@answers[0, 0]], 'three at once are answered with the same messages';
	is_deeply [$t->recount_faults], [], 'the counters are right';
};

# What a client hears that lost the answer and asks again, after the messages themselves are gone.
subtest 'repeats without the originals' => sub {
	my %gone = (
		recalled => ['invalid_argument', sub { $bob->put("/messages/$_[0]{id}/recall") }],
		deleted => ['not_found', sub { $alice->delete("/messages/$_[0]{id}") }],
		expired => ['invalid_argument', sub { $t->expire($_[0]{id}) }],
	);
	for my $how (sort keys %gone) {
		my ($code, $take) = @{$gone{$how}};
		for my $merged (JSON::PP::false(), JSON::PP::true()) {
			my @m = map { $t->send_text('bob', 'alice', "$how $_") } 1 .. 2;
			my %more = (client_msg_id => "$how-$merged", merged => $merged, comment => 'c');
			my @first = results($alice, \@m, [qw(carol frank)], %more);
			is $first[1]{error}{code}, 'not_friends', 'one target gets nothing';
			my %none = (%more, client_msg_id => "none-$how-$merged");
			results($alice, \@m, ['frank'], %none);
			$take->($m[1]);
			my $count = $everything->();
			$t->befriend(qw(alice frank));
			my @again = results($alice, \@m, [qw(carol frank)], %more);
			is_deeply $again[0], $first[0], "$how: what was sent is answered";
			is_deeply [$again[1]{error}{code}, $again[1]{messages}], [$code, undef], 'what was not says why it cannot be';
			refused('where nothing was sent it is refused whole', forward($alice, \@m, ['frank'], %none), $code eq 'not_found' ? 404 : 400, $code);
			refused('another one is another one', forward($alice, [$m[0]], [qw(carol frank)], %more), 409, 'client_msg_id_reused');
			is $everything->(), $count, 'nothing is sent by any of them';
			$t->unfriend(qw(alice frank));
		}
	}
	my $group = $t->group('bob', ['alice']);
	my $said = $t->say('bob', $group, 'in a group');
	my @first = results($alice, [$said], ['carol'], client_msg_id => 'left');
	$alice->delete("/groups/$group/members/alice");
	is_deeply [results($alice, [$said], ['carol'], client_msg_id => 'left')], \@first, 'and so it is for who has left the group since';
};

subtest 'merged' => sub {
	$dbh->do("UPDATE users SET nickname = 'Bob' WHERE id = 'bob'");
	my @ws = my ($wc, $wd) = ($t->ws('carol'), $t->ws('dave'));
	my @m = ($t->send_text('bob', 'alice', 'x' x 300), $t->send_text('alice', 'bob', "\x{1f600}" x 201),
		$bob->post('/messages/send', {to_user_id => 'alice', message_type => 'image', media_url => 'https://x.example/cat.png', extra => {width => 7}})->json);
	my @r = results($alice, [@m[2, 0, 1]], [qw(carol dave)], merged => JSON::PP::true(), comment => 'look', client_msg_id => 'm1');
	is_deeply [map { scalar @{$_->{messages}} } @r], [2, 2], 'a comment and one message each';
	my ($comment, $merged) = @{$r[0]{messages}};
	is_shape $merged, $MESSAGE, 'a message';
	is_deeply [@$merged{qw(message_type content media_url entities forwarded_from client_msg_id)}], ['forward', (undef) x 5], 'of type forward';
	is_deeply $merged->{extra}, {items => [
		{user_id => 'bob', nickname => 'Bob', message_type => 'text', content => 'x' x 200, created_at => $m[0]{created_at}},
		{user_id => 'alice', nickname => 'Alice', message_type => 'text', content => "\x{1f600}" x 200, created_at => $m[1]{created_at}},
		{user_id => 'bob', nickname => 'Bob', message_type => 'image', content => undef, created_at => $m[2]{created_at}},
	]}, 'it shows the beginning of each';
	is_deeply [map { $wc->expect('message')->{message} } 1, 2], [$comment, $merged], 'as it is pushed';
	is_deeply one($carol, $merged), $merged, 'and stored';
	my $whole = [map { my $m = $m[$_]; {part => "0$_", nickname => $m->{from_user_id} eq 'bob' ? 'Bob' : 'Alice', map { $_ => $m->{$_} } qw(from_user_id message_type content media_url extra entities forwarded_from created_at)} } 0 .. 2];
	is_deeply parts($_, $merged), $whole, 'its parts are whole' for $alice, $carol;
	is parts($_, $merged), 404, 'not for who does not see it' for $dave, $eve;
	is parts($alice, $comment), 404, 'other types have none';
	is parts($alice, {id => $merged->{id} + 1000}), 404, 'nor has what is not there';
	my $page = $carol->get("/messages/$merged->{id}/forwarded?limit=2")->json;
	is_deeply [map { $_->{part} } @{$page->{items}}, @{$carol->get("/messages/$merged->{id}/forwarded?limit=2&cursor=$page->{next_cursor}")->json->{items}}], [qw(00 01 02)], 'page by page';
	refused("of $_", $carol->get("/messages/$merged->{id}/forwarded?$_"), 400, 'invalid_argument', qr/^(?:limit|cursor|part)/) for qw(limit=0 limit=101 cursor=100 cursor=x part=0 part=000 part=00. part=00.1 part=%2700);
	is parts($carol, $merged, '?part=00'), 404, 'a text has no parts';
	is_deeply [results($alice, \@m, [qw(carol dave)], merged => JSON::PP::true(), comment => 'look', client_msg_id => 'm1')], \@r, 'a repeat answers the same';
	$bob->put("/messages/$m[0]{id}/recall");
	is_deeply parts($carol, $merged), $whole, 'they are whole after a recall of the original';
	refused('a merged message is not edited', $alice->put("/messages/$merged->{id}", {content => 'x'}), 403, 'forbidden');

	# Forwarded again, and merged again.
	my ($copy) = @{(results($carol, [$merged], ['bob']))[0]{messages}};
	is_deeply [@$copy{qw(message_type extra forwarded_from)}], ['forward', $merged->{extra}, author($merged, 'Alice')], 'a copy of it';
	is_deeply parts($bob, $copy), $whole, 'with its parts';
	my ($nest) = @{(results($bob, [$copy, $m[1]], ['dave'], merged => JSON::PP::true()))[0]{messages}};
	my $sorted = parts($dave, $nest);
	is_deeply [sort map { $_->{message_type} } @$sorted], [qw(forward text)], 'merged once more';
	my ($inner) = grep { $_->{message_type} eq 'forward' } @$sorted;
	is_deeply [@$inner{qw(extra forwarded_from)}], [@$copy{qw(extra forwarded_from)}], 'the part is the message';
	is_deeply parts($dave, $nest, "?part=$inner->{part}"), [map { {%$_, part => "$inner->{part}.$_->{part}"} } @$whole], 'which has its parts';
	is_deeply $dbh->selectcol_arrayref('SELECT parts FROM forwards WHERE message_id IN (?, ?, ?) ORDER BY parts', undef, map { $_->{id} } $merged, $copy, $nest), [3, 3, 5], 'all are counted';

	is $alice->put("/messages/$merged->{id}/recall")->json->{extra}, undef, 'recalled';
	is parts($alice, $merged), 404, 'it has no parts any more';
	is_deeply [map { $dbh->selectrow_array("SELECT COUNT(*) FROM $_ WHERE message_id = ?", undef, $merged->{id}) } qw(forwarded forwards)], [0, 0], 'nowhere';
	is_deeply parts($bob, $copy), $whole, 'its copy has';
	is_deeply parts($dave, $r[1]{messages}[1]), $whole, 'and that of the other one';
	my $due = $r[1]{messages}[1]{id};
	$dbh->do($_, undef, $due) for 'UPDATE messages SET expires_at = UTC_TIMESTAMP(3) WHERE id = ?', 'INSERT INTO expiries (expires_at, message_id) SELECT expires_at, id FROM messages WHERE id = ?';
	wait_for('it to expire', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM forwarded WHERE message_id = ?', undef, $due) });
	is parts($dave, {id => $due}), 404, 'one that expires has none either';
	is_deeply [$t->recount_faults], [], 'the counters are right';
	$_->abort for @ws;
};

subtest 'large' => sub {
	my $group = $t->group('alice', [qw(bob carol)]);
	my @m = map { $t->say('bob', $group, "\x{6c49}" x 250) } 1 .. 100;
	my @r = results($carol, [@m[reverse 0 .. 99]], [qw(alice dave)], merged => JSON::PP::true());
	my ($merged) = @{$r[1]{messages}};
	my @items = @{$merged->{extra}{items}};
	is scalar @items, 100, 'a hundred';
	cmp_ok length($items[0]{content}), '>=', 100, 'each shows a good part';
	is_deeply [map { $_->{created_at} } @items], [map { $_->{created_at} } @m], 'in order';
	is_deeply [map { $_->{content} } @{parts($dave, $merged, '?limit=100')}], [map { $_->{content} } @m], 'and is whole';
	for my $i (1 .. 9) {
		($merged) = @{(results($carol, [$merged, @m[0 .. 98]], ['dave'], merged => JSON::PP::true()))[0]{messages}};
	}
	refused('more than can be', forward($carol, [$merged, @m[0 .. 98]], ['dave'], merged => JSON::PP::true()), 400, 'invalid_argument', qr/^message_ids: /);
	my ($inner, $depth, $part) = (undef, 0, '');
	while (($inner) = grep { $_->{message_type} eq 'forward' } @{parts($dave, $merged, $part)}) {
		$part = "?part=$inner->{part}";
		$depth++;
	}
	is $depth, 9, 'one in another';
	my @to = ('alice', 'dave', 'bob', "$group", map { "n$_" } 1 .. 16);
	$t->befriend('carol', $_) for @to[4 .. 19];
	my $began = now();
	@r = results($carol, \@m, \@to, client_msg_id => 'two-thousand');
	note('a hundred to twenty took ' . (now() - $began) . ' s');
	is_deeply [map { [map { $_->{content} } @{$_->{messages} // []}] } @r], [([map { $_->{content} } @m]) x 20], 'a hundred to twenty';
	is_deeply [grep { my @s = map { $_->{seq} } @{$_->{messages}}; "@s" ne join ' ', sort { $a <=> $b } @s } @r], [], 'in order';
	is_deeply [$t->recount_faults], [], 'the counters are right';
};

# Writers copy the parts, and whoever else sends waits for that.
subtest 'much text' => sub {
	my @m = map { $t->send_text('bob', 'alice', 'x' x 16000) } 1 .. 98;
	my ($first) = @{(results($alice, \@m, ['bob'], merged => JSON::PP::true()))[0]{messages}};
	my @r = results($alice, [$first], [qw(bob carol dave)]);
	my @times = map { $_->{messages}[0]{created_at} } @r;
	is_deeply \@times, [sort keys %{{map { $_ => 1 } @times}}], 'one target after the other';
	is_deeply [map { scalar @{parts($alice, $_->{messages}[0])} } @r], [50, 50, 50], 'each has parts';
	my ($second) = @{(results($alice, [$first, @m], ['bob'], merged => JSON::PP::true()))[0]{messages}};
	my $count = $everything->();
	refused('more than a message can hold', forward($alice, [$first, $second], ['bob'], merged => JSON::PP::true()), 413, 'payload_too_large', qr/over 4194304 bytes/);
	is $everything->(), $count, 'nothing was sent';
};

subtest 'recalled at the same time' => sub {
	my %seen;
	my ($http, $recaller) = ($t->http('alice'), $t->http('bob'));
	for my $round (1 .. 40) {
		my @m = map { $t->send_text('bob', 'alice', "both $_") } 1 .. 3;
		$http->send_request(POST => '/messages/forward', json => {message_ids => [map { $_->{id} } @m], to => [{user_id => 'carol'}, {user_id => 'dave'}], merged => JSON::PP::true()});
		select undef, undef, undef, rand 0.01;
		$recaller->send_request(PUT => "/messages/$m[1]{id}/recall", json => {});
		is $recaller->response->status, 200, 'recalled';
		my $r = $http->response;
		$seen{$r->status == 200 ? $_->{error}{code} // 'merged' : $r->code}++ for $r->status == 200 ? @{$r->json->{results}} : 1;
		for my $merged (map { @{$_->{messages} // []} } $r->status == 200 ? @{$r->json->{results}} : ()) {
			is_deeply [map { $_->{content} } @{parts($alice, $merged)}], ['both 1', 'both 2', 'both 3'], 'who got it has it whole';
		}
	}
	note(join ' ', %seen);
	is_deeply [grep { !/^(?:merged|conflict|invalid_argument)\z/ } keys %seen], [], 'it is forwarded before, or not at all';
};

subtest 'the database hangs' => sub {
	my @m = map { $t->send_text('bob', 'alice', "late $_") } 1 .. 3;
	my $wc = $t->ws('carol');
	my @body = ([@m], ['carol', 'eve'], client_msg_id => 'late');
	my ($count, $http, $other) = ($everything->(), $t->http('alice'), $t->{stack}->dbh($t->{database}));
	$other->do("BACKUP STAGE $_") for qw(START FLUSH BLOCK_DDL BLOCK_COMMIT);
	my ($carol_got, $eve_got) = results($http, @body);
	is_deeply [$carol_got->{error}{code}, $carol_got->{messages}], ['unavailable', undef], 'it is not waited for without end';
	$other->do('BACKUP STAGE END');
	my @again;
	wait_for('a repeat to complete it', sub {
		@again = results($alice, @body);
		return !$again[0]{error} && !$again[1]{error};
	});
	is_deeply [map { [map { $_->{content} } @{$_->{messages}}] } @again], [(['late 1', 'late 2', 'late 3']) x 2], 'a repeat completes it';
	is $everything->() - $count, 6, 'and doubles nothing';
	is_deeply [map { $wc->expect('message')->{message}{content} } 1 .. 3], ['late 1', 'late 2', 'late 3'], 'each is pushed once';
	$wc->abort;
	my @large = map { $t->send_text('bob', 'alice', 'x' x 16000) } 1 .. 20;
	my @merged = ([@large], [qw(carol dave bob)], merged => JSON::PP::true(), client_msg_id => 'late-large');
	$other->do("BACKUP STAGE $_") for qw(START FLUSH BLOCK_DDL BLOCK_COMMIT);
	my $began = now();
	is_deeply [map { $_->{error}{code} } results($http, @merged)], [('unavailable') x 3], 'large ones, that go one after the other,';
	cmp_ok now() - $began, '<', 9, 'do not wait for that long each';
	$other->do('BACKUP STAGE END');
	wait_for('a repeat to complete it', sub { !grep { $_->{error} } results($alice, @merged) });
	is_deeply [$t->recount_faults], [], 'the counters are right';
};

subtest 'writers die' => sub {
	my @m = map { $t->send_text('bob', 'alice', "kill $_") } 1 .. 30;
	my $group = $t->group('alice', [qw(bob carol)]);
	my $killed = 0;
	for my $round (1 .. 4) {
		for my $merged (0, 1) {
			my @body = ([@m], ['carol', 'dave', "$group"], client_msg_id => "kill-$round-$merged", comment => 'c', merged => $merged ? JSON::PP::true() : JSON::PP::false());
			my $count = $everything->();
			my $http = $t->http('alice');
			$http->send_request(POST => '/messages/forward', json => {message_ids => [map { $_->{id} } @m], to => [{user_id => 'carol'}, {user_id => 'dave'}, {conversation_id => "$group"}], @body[2 .. $#body]});
			wait_for('the first to be stored', sub { $everything->() > $count });
			my ($pid) = $t->node->writer_pids;
			if ($pid) {
				$t->node->allow_deaths(1);
				$killed += kill 'KILL', $pid;
			}
			my $first = $http->response;
			is $first->status, 200, 'it is answered';
			my $again;
			wait_for('a repeat to complete it', sub {
				$again = forward($alice, @body);
				return $again->status == 200 && !grep { $_->{error} } @{$again->json->{results}};
			});
			my $each = $merged ? 2 : 31;
			is $everything->() - $count, 3 * $each, 'each is stored once';
			is_deeply [map { scalar @{$_->{messages}} } @{$again->json->{results}}], [($each) x 3], 'and answered';
			next if $merged;
			is_deeply [map { [map { $_->{content} } @{$_->{messages}}] } @{$again->json->{results}}], [(['c', map { "kill $_" } 1 .. 30]) x 3], 'in order';
			is_deeply [map { my @s = map { $_->{seq} } @{$_->{messages}}; grep { $s[$_] <= $s[$_ - 1] } 1 .. $#s } @{$again->json->{results}}], [], 'of seq';
		}
		wait_for('a writer again', sub { $t->node->writer_pids });
	}
	cmp_ok $killed, '>', 0, "$killed writers died";
	my @worker = ([@m], ['carol', 'dave'], client_msg_id => 'worker');
	my ($count, $http) = ($everything->(), $t->http('alice'));
	$http->send_request(POST => '/messages/forward', json => {message_ids => [map { $_->{id} } @m], to => [{user_id => 'carol'}, {user_id => 'dave'}], client_msg_id => 'worker'});
	wait_for('the first to be stored', sub { $everything->() > $count });
	my @workers = $t->node->worker_pids;
	$t->node->allow_deaths(scalar @workers);
	kill 'KILL', @workers;
	undef $http;
	delete $t->{http};
	$alice = $t->api('alice');
	my $again;
	wait_for('a repeat to complete it', sub {
		$again = eval { forward($t->http('alice'), @worker) };
		return $again && $again->status == 200 && !grep { $_->{error} } @{$again->json->{results}};
	});
	is_deeply [$everything->() - $count, map { [map { $_->{content} } @{$_->{messages}}] } @{$again->json->{results}}], [60, ([map { "kill $_" } 1 .. 30]) x 2], 'what dead workers had begun is completed by a repeat';
	my ($whole) = $dbh->selectrow_array('SELECT COUNT(*) FROM forwards f WHERE parts <> (SELECT COUNT(*) FROM forwarded p WHERE p.message_id = f.message_id)');
	is $whole, 0, 'all merged messages have all parts';
	is_deeply [$t->recount_faults], [], 'the counters are right';
};

$t->stop;

subtest 'how many' => sub {
	my $u = Tidings->start(workers => 1, conf => {limits => {sends_per_second => 1, burst => 10}});
	$u->befriend(qw(alice bob carol));
	my @m = map { $u->send_text('bob', 'alice', "x$_") } 1 .. 8;
	my $a = $u->api('alice');
	is scalar @{(results($a, \@m, ['carol'], client_msg_id => 'f'))[0]{messages}}, 8, 'eight of ten';
	my $r = forward($a, \@m, ['bob']);
	refused('eight more', $r, 429, 'rate_limited', qr/messages a second/);
	like $r->header('retry-after'), qr/\A[1-9]\d*\z/, 'with Retry-After';
	is scalar @{(results($a, \@m, ['carol'], client_msg_id => 'f'))[0]{messages}}, 8, 'a repeat is answered';
	wait_for('the burst to be full', sub { forward($a, \@m, [qw(bob carol)], client_msg_id => 'g')->status == 200 });
	my $owed = $a->post('/messages/send', text_to('bob', 'y'));
	is $owed->status, 429, 'what was more than the burst is owed';
	cmp_ok $owed->header('retry-after'), '>', 3, 'and Retry-After says for how long';
	$u->node->clock(3);
	is $a->post('/messages/send', text_to('bob', 'y'))->status, 429, 'for a while';
	$u->node->clock(10);
	is $a->post('/messages/send', text_to('bob', 'y'))->status, 201, 'and paid then';
	$u->stop;
};

subtest 'the fan-out of groups' => sub {
	my $u = Tidings->start(workers => 1, conf => {groups => {fanout_per_second => 10}});
	my @members = map { "u$_" } 1 .. 4;
	$u->befriend('alice', @members);
	my $group = $u->group('alice', \@members);
	my @ws = map { $u->ws($_) } 'alice', @members;
	my @m = map { $u->send_text('alice', 'u1', "x$_") } 1 .. 5;
	my $began = now();
	my ($r) = results($u->api('alice'), \@m, ["$group"], client_msg_id => 'f');
	is scalar @{$r->{messages}}, 5, 'a forward waits for its tokens' or diag(explain($r));
	cmp_ok now() - $began, '>', 1, 'which takes a while';
	is_deeply [map { $_->{message}{content} } grep { $_->{type} eq 'message' && $_->{message}{conversation_id} eq "$group" && $_->{message}{forwarded_from} } map { $ws[2]->expect('message') } 1 .. 5], [map { "x$_" } 1 .. 5], 'members get all';
	my $stored = sub { $u->dbh->selectrow_array("SELECT COUNT(*) FROM messages WHERE forwarded_from IS NOT NULL") };
	my $body = {message_ids => [map { $_->{id} } @m], to => [{conversation_id => "$group"}]};
	my ($leaver, $had) = ($u->http('alice'), $stored->());
	$leaver->send_request(POST => '/messages/forward', json => $body);
	wait_for('the first', sub { $stored->() > $had });
	undef $leaver;
	wait_for('the rest, though nobody waits for the answer', sub { $stored->() == $had + 5 });
	my $waits = $u->http('alice');
	$waits->send_request(POST => '/messages/forward', json => {%$body, client_msg_id => 'stopped'});
	wait_for('the first', sub { $stored->() > $had + 5 });
	# Large, so that the users wait behind the group.
	my @large = map { $u->send_text('alice', 'u1', 'x' x 16000) } 1 .. 20;
	my $merges = $u->http('alice');
	$merges->send_request(POST => '/messages/forward', json => {message_ids => [map { $_->{id} } @large], to => [{conversation_id => "$group"}, map { {user_id => $_} } @members], merged => JSON::PP::true()});
	$_->abort for @ws;
	$u->stop; # while it waits
};

done_testing;
