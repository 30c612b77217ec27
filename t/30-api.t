# SPDX-License-Identifier: BSD-2-Clause
# Proves every endpoint of the message API (contract, sections 2 and 3): what it answers, every field of it, and
# everything it refuses.
use Tidings;
use Tidings::Shape;
use JSON::PP ();
use Time::Local ();

my $t = Tidings->start(workers => 2);
$t->befriend(qw(alice bob carol));
$t->befriend(qw(alice dave));
my ($alice, $bob, $carol, $dave) = map { $t->api($_) } qw(alice bob carol dave);
my $stranger = $t->api('stranger');

# A message out of the window for recalling: the database's clock counts, so its row is made older.
sub make_older {
	my ($message, $secs) = @_;
	$t->dbh->do('UPDATE messages SET created_at = created_at - INTERVAL ? SECOND WHERE id = ?', undef, $secs, $message->{id});
	return;
}

sub history { my ($http, $id, $query) = @_; return $http->get("/messages/conversations/$id/messages" . ($query // '')) }
sub seqs { my ($r) = @_; return [map { $_->{seq} } @{$r->json->{items}}] }
sub conversation_of {
	my ($http, $id) = @_;
	my ($c) = grep { $_->{id} eq $id } @{$http->get('/messages/conversations?limit=100')->json->{items}};
	return $c;
}

my $cid;
subtest 'send: a text' => sub {
	my $r = $alice->post('/messages/send', text_to('bob', 'hi', client_msg_id => 'c-1', unknown => [1, {}]));
	is $r->status, 201, 'answers 201';
	like $r->header('content-type'), qr{^application/json}, 'JSON';
	my $m = $r->json;
	is_shape $m, $MESSAGE, 'a whole message';
	$cid = $m->{conversation_id};
	is $m->{seq}, 1, 'seq begins at 1';
	my %want = (from_user_id => 'alice', to_user_id => 'bob', message_type => 'text', content => 'hi', media_url => undef, extra => undef,
		client_msg_id => 'c-1', reply_to => undef, is_read => JSON::PP::false, read_at => undef, is_recalled => JSON::PP::false, recalled_at => undef);
	is_deeply {map { $_ => $m->{$_} } keys %want}, \%want, 'with what was said';
	my ($y, $mon, $d, $h, $min, $sec) = $m->{created_at} =~ /(\d+)/g;
	cmp_ok abs(Time::Local::timegm_modern($sec, $min, $h, $d, $mon - 1, $y) - time), '<', 10, 'created now, in UTC';
	$m = $bob->post('/messages/send', text_to('alice', 'hello'))->json;
	is $m->{conversation_id}, $cid, 'the same conversation from the other side';
	is $m->{seq}, 2, 'the next seq';
	is $m->{client_msg_id}, undef, 'no client_msg_id: null';
	is_deeply seqs(history($alice, $cid)), [1, 2], 'both are there';
};

subtest 'send: media, extra, reply_to' => sub {
	for my $type (qw(image voice video file)) {
		my $m = $alice->post('/messages/send', {to_user_id => 'bob', message_type => $type, media_url => "https://cdn.example/$type?x=1", extra => {size => 7}})->json;
		is_shape $m, $MESSAGE, $type;
		is $m->{message_type} . $m->{media_url}, "${type}https://cdn.example/$type?x=1", 'as sent';
		is $m->{content}, undef, 'without a caption';
	}
	my $m = $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'image', media_url => 'http://x/' . 'y' x 2039, content => 'a caption'})->json;
	is length $m->{media_url}, 2048, 'a URL of 2,048 bytes';
	is $m->{content}, 'a caption', 'a caption';
	my $named = qq({"a":"x\x{e2}\x{80}\x{ae}y", "file_name" : "cv\\u202egpj\x{e2}\x{81}\x{a9}.exe","b":[{"file_name":"\\u202e"}]});
	my %again = (body => qq({"to_user_id":"bob","message_type":"file","media_url":"https://x.example/cv","client_msg_id":"named","extra":$named}));
	my @named = map { $alice->request('POST', '/messages/send', %again) } 1 .. 2;
	is_deeply [map { $_->status } @named], [201, 200], 'a file name that turns its direction, and its repeat';
	like $_->body, qr/"extra":\{"a":"x\x{e2}\x{80}\x{ae}y","file_name":"cvgpj\.exe","b":\[\{"file_name":"\\u202e"\}\]\}/, 'is shown as it is, and all else left' for @named;

	my $extra = '{"z":1,"a":[true,null,{"k":"\u00e9 \" \\\\ /"}],"big":123456789012345678901234567890,"real":1.50e+3,"":""}';
	my $spaced = $extra =~ s/([,:{])/$1 \n\t/gr;
	for my $sent ($extra, $spaced) {
		my $r = $alice->request('POST', '/messages/send', body => qq({"to_user_id":"bob","message_type":"text","content":"x","extra":$sent}));
		is $r->status, 201, 'extra' or diag($r->body);
		like $r->body, qr/"extra":\Q$extra\E[,}]/, 'comes back as it was, order and numbers whole';
		like history($bob, $cid, '?limit=1')->body, qr/"extra":\Q$extra\E[,}]/, 'from the database too';
	}
	my $fits = '{"k":"' . 'x' x (4096 - 8) . '"}';
	is $alice->request('POST', '/messages/send', body => qq({"to_user_id":"bob","message_type":"text","content":"x","extra":   $fits   }))->status, 201, 'extra of 4 KiB';
	is $alice->request('POST', '/messages/send', body => '{"to_user_id":"bob","message_type":"text","content":"x","extra":' . '{ ' . ' ' x 5000 . '"a" : 1}}')->status, 201, 'white space does not count';
	my $long = "\x{1F600}" x 4096;
	$m = $alice->post('/messages/send', text_to('bob', $long))->json;
	is $m->{content}, $long, 'content of 16 KiB of UTF-8';
	is history($bob, $cid, '?limit=1')->json->{items}[0]{content}, $long, 'stored whole';
	my $first = history($alice, $cid, '?after=0&limit=1')->json->{items}[0];
	$m = $bob->post('/messages/send', text_to('alice', 'as to that', reply_to => $first->{id}))->json;
	is $m->{reply_to}, $first->{id}, 'reply_to';
	$m = $alice->post('/messages/send', text_to('bob', 'nulls', client_msg_id => undef, media_url => undef, extra => undef, reply_to => undef))->json;
	is_shape $m, $MESSAGE, 'null is absence';
	is $alice->post('/messages/send', text_to('bob', "tab\tline\nquote\"\\ \x{7f}\x{2028}"))->json->{content}, "tab\tline\nquote\"\\ \x{7f}\x{2028}", 'any characters';
};

subtest 'send: refusals' => sub {
	my $before = history($alice, $cid, '?limit=1')->json->{items}[0]{seq};
	my $foreign = $t->send_text('alice', 'carol', 'elsewhere');
	my @image = (to_user_id => 'bob', message_type => 'image');
	my @bad = (
		['no recipient', {message_type => 'text', content => 'x'}, qr/to_user_id/],
		['a recipient that is a number', {to_user_id => 7, message_type => 'text', content => 'x'}, qr/to_user_id/],
		['a recipient that is null', text_to(undef, 'x'), qr/to_user_id/],
		['a recipient with a space', text_to('bo b', 'x'), qr/to_user_id/],
		['an empty recipient', text_to('', 'x'), qr/to_user_id/],
		['a recipient with 65 characters', text_to('b' x 65, 'x'), qr/to_user_id/],
		['oneself', text_to('alice', 'x'), qr/to_user_id/],
		['no type', {to_user_id => 'bob', content => 'x'}, qr/message_type/],
		['an unknown type', {to_user_id => 'bob', message_type => 'Text', content => 'x'}, qr/message_type/],
		['a type that is a number', {to_user_id => 'bob', message_type => 0, content => 'x'}, qr/message_type/],
		['no content', {to_user_id => 'bob', message_type => 'text'}, qr/content/],
		['null content', text_to('bob', undef), qr/content/],
		['empty content', text_to('bob', ''), qr/content/],
		['content that is a number', text_to('bob', 5), qr/content/],
		['content that is an object', text_to('bob', {}), qr/content/],
		['NUL in content', text_to('bob', "a\0b"), qr/content/],
		['content over 16 KiB', text_to('bob', 'x' x 16385), qr/content/],
		['content over 16 KiB of UTF-8', text_to('bob', "\x{e9}" x 8193), qr/content/],
		['media_url on a text', text_to('bob', 'x', media_url => 'https://x/'), qr/media_url/],
		['no media_url', {@image}, qr/media_url/],
		['null media_url', {@image, media_url => undef}, qr/media_url/],
		['another scheme', {@image, media_url => 'ftp://x/y'}, qr/media_url/],
		['a script', {@image, media_url => 'javascript:alert(1)'}, qr/media_url/],
		['no host', {@image, media_url => 'https:///y'}, qr/media_url/],
		['no URL', {@image, media_url => 'https:'}, qr/media_url/],
		['white space in a URL', {@image, media_url => "https://x/ y"}, qr/media_url/],
		['NUL in a URL', {@image, media_url => "https://x/\0"}, qr/media_url/],
		['a URL over 2,048 bytes', {@image, media_url => 'https://x/' . 'y' x 2039}, qr/media_url/],
		['a URL that is a number', {@image, media_url => 7}, qr/media_url/],
		['a caption over 16 KiB', {@image, media_url => 'https://x/', content => 'x' x 16385}, qr/content/],
		['extra that is a string', text_to('bob', 'x', extra => '{}'), qr/extra/],
		['extra that is an array', text_to('bob', 'x', extra => []), qr/extra/],
		['extra over 4 KiB', text_to('bob', 'x', extra => {k => 'x' x 4089}), qr/extra/],
		['NUL in extra', text_to('bob', 'x', extra => {k => ["a\0"]}), qr/extra/],
		['NUL in a name of extra', text_to('bob', 'x', extra => {"a\0" => 1}), qr/extra/],
		['an empty client_msg_id', text_to('bob', 'x', client_msg_id => ''), qr/client_msg_id/],
		['a client_msg_id of 65', text_to('bob', 'x', client_msg_id => 'x' x 65), qr/client_msg_id/],
		['a space in client_msg_id', text_to('bob', 'x', client_msg_id => 'a b'), qr/client_msg_id/],
		['client_msg_id beyond ASCII', text_to('bob', 'x', client_msg_id => "\x{e9}"), qr/client_msg_id/],
		['client_msg_id that is a number', text_to('bob', 'x', client_msg_id => 7), qr/client_msg_id/],
		['reply_to that is a number', text_to('bob', 'x', reply_to => 7), qr/reply_to/],
		['reply_to that is no id', text_to('bob', 'x', reply_to => 'seven'), qr/reply_to/],
		['reply_to over 64 bits', text_to('bob', 'x', reply_to => '99999999999999999999'), qr/reply_to/],
		['reply_to nothing', text_to('bob', 'x', reply_to => '1'), qr/reply_to/],
		['reply_to another conversation', text_to('bob', 'x', reply_to => $foreign->{id}), qr/reply_to/],
	);
	refused($_->[0], $alice->post('/messages/send', $_->[1]), 400, 'invalid_argument', $_->[2]) for @bad;
	refused('a stranger', $alice->post('/messages/send', text_to('stranger', 'x')), 403, 'not_friends');
	refused('nobody at all', $alice->post('/messages/send', text_to('nobody', 'x')), 403, 'not_friends');
	refused('names are compared byte by byte', $alice->post('/messages/send', text_to('Bob', 'x')), 403, 'not_friends');
	$t->dbh->do("DELETE FROM friendships WHERE user_id = 'dave' AND friend_id = 'alice'");
	refused('half a friendship', $alice->post('/messages/send', text_to('dave', 'x')), 403, 'not_friends');
	refused('the other half', $dave->post('/messages/send', text_to('alice', 'x')), 403, 'not_friends');
	$t->befriend(qw(alice dave));
	is $alice->post('/messages/send', text_to('dave', 'again'))->status, 201, 'seen at once when it is whole again';
	$t->set_blocked('dave', 'alice', 1);
	refused('one who has blocked me', $alice->post('/messages/send', text_to('dave', 'x')), 403, 'blocked');
	is $dave->post('/messages/send', text_to('alice', 'still'))->status, 201, 'who blocks may still send';
	$t->set_blocked('dave', 'alice', 0);
	is $alice->post('/messages/send', text_to('dave', 'back'))->status, 201, 'unblocked';
	is history($alice, $cid, '?limit=1')->json->{items}[0]{seq}, $before, 'nothing of all that was stored';
	is $alice->post('/messages/send', text_to('bob', 'next'))->json->{seq}, $before + 1, 'and no seq was spent';
};

subtest 'send: client_msg_id' => sub {
	my %body = (to_user_id => 'bob', message_type => 'image', content => 'cap', media_url => 'https://x/y', extra => {a => 1}, client_msg_id => 'idem~!');
	my $r = $alice->post('/messages/send', {%body});
	is $r->status, 201, 'stored';
	my $m = $r->json;
	$r = $alice->post('/messages/send', {%body});
	is $r->status, 200, 'again: 200';
	is_deeply $r->json, $m, 'the same message';
	$r = $alice->request('POST', '/messages/send', body => '{"extra":{  "a" :1 },"to_user_id":"bob","message_type":"image","content":"cap","media_url":"https://x/y","client_msg_id":"idem~!"}');
	is $r->status, 200, 'white space and order of the body do not matter';
	my %other = (content => 'other', media_url => 'https://x/z', extra => {a => 2}, to_user_id => 'carol', message_type => 'video', reply_to => $m->{id});
	refused("another $_", $alice->post('/messages/send', {%body, $_ => $other{$_}}), 409, 'client_msg_id_reused') for sort keys %other;
	my %less = %body;
	delete $less{$_}, refused("no $_", $alice->post('/messages/send', {%less}), 409, 'client_msg_id_reused') for qw(extra content);
	is $carol->post('/messages/send', {%body})->status, 201, 'another sender may use it';
	refused('a bad body is a bad body', $alice->post('/messages/send', {%body, content => 7}), 400, 'invalid_argument');
	$bob->put("/messages/$m->{id}/read");
	$r = $alice->post('/messages/send', {%body});
	ok $r->status == 200 && $r->json->{is_read}, 'a repeat shows the message as it is now';
	$t->unfriend('alice', 'bob');
	is $alice->post('/messages/send', {%body})->status, 200, 'a repeat comes before the look at friendship';
	refused('a new one does not', $alice->post('/messages/send', {%body, client_msg_id => 'idem-2'}), 403, 'not_friends');
	refused('nor does another body', $alice->post('/messages/send', {%body, content => 'other'}), 409, 'client_msg_id_reused');
	$t->befriend('alice', 'bob');
	is $alice->put("/messages/$m->{id}/recall")->status, 200, 'recalled';
	$r = $alice->post('/messages/send', {%body, content => 'anything'});
	ok $r->status == 200 && $r->json->{is_recalled}, 'of a recalled message only the recipient is compared';
	refused('but that it is', $alice->post('/messages/send', {%body, to_user_id => 'carol'}), 409, 'client_msg_id_reused');
	my @connections = map { $t->http('alice') } 1 .. 20;
	$_->connect->get('/messages/unread-count') for @connections;
	$_->send_request('POST', '/messages/send', json => text_to('bob', 'twenty times', client_msg_id => 'dup')) for @connections;
	my @answers = map { $_->response } @connections;
	my %statuses;
	$statuses{$_->status}++ for @answers;
	is_deeply \%statuses, {201 => 1, 200 => 19}, 'twenty at once: one 201, nineteen 200';
	my %ids = map { $_->json->{id} => 1 } @answers;
	is keys %ids, 1, 'and all the same message';
	is scalar(grep { ($_->{client_msg_id} // '') eq 'dup' } @{history($bob, $cid, '?limit=100')->json->{items}}), 1, 'which stands once';
};

subtest 'send: rate' => sub {
	my $u = Tidings->start(workers => 2, conf => {limits => {sends_per_second => 1, burst => 5}});
	$u->befriend(qw(alice bob));
	my @h = map { $u->http('alice')->connect } 1 .. 4;
	my %seen;
	my $first;
	for my $i (1 .. 12) {
		my $r = $h[$i % 4]->post('/messages/send', text_to('bob', "$i", client_msg_id => "r$i"));
		$first //= $r;
		$seen{$r->status}++;
		if ($r->status == 429) {
			is $r->code, 'rate_limited', 'its code' if $seen{429} == 1;
			like $r->header('retry-after'), qr/^[1-9]\d*$/, 'Retry-After' if $seen{429} == 1;
		}
	}
	cmp_ok $seen{201}, '>=', 5, 'the burst passes, whichever worker';
	cmp_ok $seen{429} // 0, '>=', 4, 'what is over it does not';
	is $h[0]->post('/messages/send', text_to('bob', '1', client_msg_id => 'r1'))->status, 200, 'a repeat always does';
	is $u->http('bob')->post('/messages/send', text_to('alice', 'x'))->status, 201, 'and another user';
	$u->node->clock(10);
	is $h[0]->post('/messages/send', text_to('bob', 'later'))->status, 201, 'later it passes again';
	$u->stop;
};

subtest 'conversations/create' => sub {
	$t->befriend(qw(erin frank));
	my ($erin, $frank) = map { $t->api($_) } qw(erin frank);
	my $r = $erin->post('/messages/conversations/create', {user_id => 'frank', source => {kind => 'moment', id => 'm-7'}});
	is $r->status, 201, 'answers 201';
	my $c = $r->json;
	is_shape $c, $CONVERSATION, 'a whole conversation';
	is_deeply $c->{source}, {kind => 'moment', id => 'm-7'}, 'its source';
	is_deeply $c->{peer}, {user_id => 'frank', nickname => 'Frank', avatar_url => undef, online => JSON::PP::false}, 'its peer';
	is_deeply [@$c{qw(last_message last_message_time unread_count read_seq peer_read_seq change_seq)}], [undef, undef, 0, 0, 0, 0], 'empty';
	$r = $erin->post('/messages/conversations/create', {user_id => 'frank'});
	is $r->status, 200, 'again: 200';
	is_deeply $r->json, $c, 'the same';
	$r = $frank->post('/messages/conversations/create', {user_id => 'erin', source => undef});
	is $r->status, 200, 'the other side: 200';
	is $r->json->{id}, $c->{id}, 'the same conversation';
	is_deeply [map { $_->{id} } @{$frank->get('/messages/conversations')->json->{items}}], [$c->{id}], 'the other side sees it in its list';
	is $erin->post('/messages/send', text_to('frank', 'x'))->json->{conversation_id}, $c->{id}, 'messages go into it';
	$t->unfriend('erin', 'frank');
	is $erin->post('/messages/conversations/create', {user_id => 'frank'})->status, 200, 'existing, even if no longer friends';
	refused('a stranger', $erin->post('/messages/conversations/create', {user_id => 'alice'}), 403, 'not_friends');
	$t->set_blocked('carol', 'bob', 1);
	refused('one who has blocked me', $bob->post('/messages/conversations/create', {user_id => 'carol'}), 403, 'blocked');
	$t->set_blocked('carol', 'bob', 0);
	for (['no user', {}, qr/user_id/], ['a number', {user_id => 1}, qr/user_id/], ['a bad id', {user_id => 'a b'}, qr/user_id/], ['oneself', {user_id => 'erin'}, qr/user_id/],
		['source as text', {user_id => 'frank', source => 'moment'}, qr/source/], ['source without id', {user_id => 'frank', source => {kind => 'moment'}}, qr/source/],
		['source without kind', {user_id => 'frank', source => {id => 'x'}}, qr/source/], ['a source id that is a number', {user_id => 'frank', source => {kind => 'moment', id => 7}}, qr/source/]) {
		refused($_->[0], $erin->post('/messages/conversations/create', $_->[1]), 400, 'invalid_argument', $_->[2]);
	}
	my @makers = map { $t->http($_ % 2 ? 'gina' : 'hugo') } 1 .. 10;
	$t->befriend(qw(gina hugo));
	$_->send_request('POST', '/messages/conversations/create', json => {user_id => $_->{token} eq $makers[0]{token} ? 'hugo' : 'gina'}) for @makers;
	my @r = map { $_->response } @makers;
	is scalar(grep { $_->status == 201 } @r), 1, 'ten at once from both sides: one is new';
	is scalar(keys %{{map { $_->json->{id} => 1 } @r}}), 1, 'and there is one';
};

subtest 'conversations: the list' => sub {
	my @peers = map { "peer$_" } 1 .. 7;
	$t->befriend('lister', $_) for @peers;
	my $lister = $t->api('lister');
	is_deeply $lister->get('/messages/conversations')->json, {items => [], next_cursor => undef}, 'empty at first';
	$t->send_text($_, 'lister', "from $_") for @peers;
	$t->send_text('lister', 'peer3', 'to the third');
	my $r = $lister->get('/messages/conversations');
	is $r->status, 200, 'answers 200';
	my @items = @{$r->json->{items}};
	is_shape $items[0], $CONVERSATION, 'whole conversations';
	is_deeply [map { $_->{peer}{user_id} } @items], [qw(peer3 peer7 peer6 peer5 peer4 peer2 peer1)], 'the latest message first';
	is $items[0]{last_message}{content}, 'to the third', 'with the last message';
	is $items[0]{last_message_time}, $items[0]{last_message}{created_at}, 'and its time';
	is_deeply [map { $_->{unread_count} } @items], [(1) x 7], 'unread';
	my (@paged, $cursor, $pages);
	do {
		my $page = $lister->get('/messages/conversations?limit=3' . (defined $cursor ? "&cursor=$cursor" : ''))->json;
		push @paged, map { $_->{peer}{user_id} } @{$page->{items}};
		$cursor = $page->{next_cursor};
		$pages++;
	} while (defined $cursor && $pages < 9);
	is_deeply \@paged, [map { $_->{peer}{user_id} } @items], 'paged: all of them once, in order';
	is $pages, 3, 'in three pages';
	is scalar(@{$lister->get('/messages/conversations?limit=100')->json->{items}}), 7, 'limit=100';
	my $ws = $t->ws('peer2');
	wait_for('peer2 online', sub { (grep { $_->{peer}{user_id} eq 'peer2' } @{$lister->get('/messages/conversations')->json->{items}})[0]{peer}{online} });
	is_deeply [map { $_->{peer}{online} ? $_->{peer}{user_id} : () } @{$lister->get('/messages/conversations')->json->{items}}], ['peer2'], 'who is online says so, and only they';
	$t->set_blocked('peer2', 'lister', 1);
	ok !conversation_of($lister, $items[5]{id})->{peer}{online}, 'who has blocked me is shown offline';
	$ws->abort;
	$t->dbh->do("DELETE FROM users WHERE id = 'peer1'");
	is_deeply $lister->get('/messages/conversations')->json->{items}[6]{peer}, {user_id => 'peer1', nickname => undef, avatar_url => undef, online => JSON::PP::false}, 'a peer without a row';
	is_deeply $stranger->get('/messages/conversations')->json->{items}, [], 'a stranger has none';
};

subtest 'history' => sub {
	$t->befriend(qw(ida jack));
	my ($ida, $jack) = map { $t->api($_) } qw(ida jack);
	my $id;
	$id = $t->send_text($_ % 3 ? 'ida' : 'jack', $_ % 3 ? 'jack' : 'ida', "m$_")->{conversation_id} for 1 .. 60;
	my @cases = (
		['', [11 .. 60], 1], ['?limit=100', [1 .. 60], 0], ['?limit=60', [1 .. 60], 0], ['?limit=59', [2 .. 60], 1], ['?limit=1', [60], 1],
		['?before=11&limit=5', [6 .. 10], 1], ['?before=6&limit=5', [1 .. 5], 0], ['?before=1', [], 0], ['?before=2', [1], 0],
		['?before=61&limit=2', [59, 60], 1], ['?before=9999999&limit=2', [59, 60], 1], ['?before=18446744073709551615&limit=1', [60], 1],
		['?after=0&limit=5', [1 .. 5], 1], ['?after=55', [56 .. 60], 0], ['?after=55&limit=5', [56 .. 60], 0], ['?after=54&limit=5', [55 .. 59], 1],
		['?after=60', [], 0], ['?after=9999999', [], 0],
	);
	for (@cases) {
		my ($query, $want, $more) = @$_;
		my $r = history($ida, $id, $query);
		is_deeply [seqs($r), $r->json->{has_more} ? 1 : 0], [$want, $more], "messages$query" or diag($r->body);
	}
	is_shape history($jack, $id)->json, {items => [$MESSAGE], has_more => 'bool'}, 'whole messages';
	is_deeply history($jack, $id)->json, history($ida, $id)->json, 'both sides see the same';
	refused("messages$_", history($ida, $id, $_), 400, 'invalid_argument') for '?before=0', '?before=5&after=5', '?before=-1', '?before=x', '?before=',
		'?after=-1', '?after=1.0', '?after=99999999999999999999', '?limit=0', '?limit=101', '?limit=%20';
	refused('another\'s', history($alice, $id), 404, 'not_found');
	refused('none', history($alice, '4611686018427387904'), 404, 'not_found');
	refused('zero', history($alice, '0'), 404, 'not_found');
	refused('the largest', history($alice, '18446744073709551615'), 404, 'not_found');
};

subtest 'reading a conversation' => sub {
	$t->befriend(qw(kim leo));
	my ($kim, $leo) = map { $t->api($_) } qw(kim leo);
	my $id;
	$id = $t->send_text('kim', 'leo', "m$_")->{conversation_id} for 1 .. 6;
	my $own = $t->send_text('leo', 'kim', 'own');
	is conversation_of($leo, $id)->{unread_count}, 6, 'six unread';
	my $r = $leo->put("/messages/conversations/$id/read", {up_to_seq => 2});
	is $r->status, 200, 'answers 200';
	is_deeply $r->json, {conversation_id => $id, read_seq => 2, marked => 2, unread_count => 4}, 'two of them read';
	like $r->body, qr/"conversation_id":"\d+"/, 'the id as a string';
	my @items = @{history($kim, $id)->json->{items}};
	is_deeply [map { $_->{is_read} ? 1 : 0 } @items], [1, 1, 0, 0, 0, 0, 0], 'the sender sees it';
	ok $items[0]{read_at} && !$items[2]{read_at}, 'with the time';
	is conversation_of($leo, $id)->{read_seq}, 2, 'read_seq';
	is conversation_of($kim, $id)->{peer_read_seq}, 2, 'peer_read_seq on the other side';
	is conversation_of($kim, $id)->{read_seq}, 0, 'whose own is untouched';
	$r = $leo->put("/messages/conversations/$id/read", {up_to_seq => 2});
	is_deeply $r->json, {conversation_id => $id, read_seq => 2, marked => 0, unread_count => 4}, 'again: nothing';
	is $leo->put("/messages/conversations/$id/read", {up_to_seq => 1})->json->{read_seq}, 2, 'it never goes back';
	is $leo->put("/messages/conversations/$id/read", {up_to_seq => 0})->json->{read_seq}, 2, 'nor to 0';
	$r = $leo->put("/messages/conversations/$id/read", {up_to_seq => 1000000});
	is_deeply $r->json, {conversation_id => $id, read_seq => 7, marked => 4, unread_count => 0}, 'beyond the last: the last';
	$t->send_text('kim', 'leo', 'one more');
	is_deeply $leo->put("/messages/conversations/$id/read")->json, {conversation_id => $id, read_seq => 8, marked => 1, unread_count => 0}, 'without a body: all';
	is_deeply $kim->put("/messages/conversations/$id/read", {up_to_seq => undef})->json, {conversation_id => $id, read_seq => 8, marked => 1, unread_count => 0}, 'null: all';
	is_deeply $kim->put("/messages/conversations/$id/read", {})->json->{marked}, 0, 'an empty object: all';
	is $leo->request('PUT', "/messages/conversations/$id/read", body => qq({"up_to_seq":$_}))->json->{read_seq}, 8, "up to $_: the last" for '9223372036854775808', '18446744073709551615';
	refused("up_to_seq $_->[0]", $leo->put("/messages/conversations/$id/read", {up_to_seq => $_->[1]}), 400, 'invalid_argument', qr/up_to_seq/)
		for ['as text', '3'], ['negative', -1], ['a fraction', 1.5], ['a list', []], ['true', JSON::PP::true];
	refused('a body that is no JSON', $leo->request('PUT', "/messages/conversations/$id/read", body => '{'), 400, 'malformed_json');
	refused('a body of another type', $leo->request('PUT', "/messages/conversations/$id/read", body => '{}', headers => ['Content-Type' => 'text/plain']), 415, 'unsupported_media_type');
	refused('another\'s', $alice->put("/messages/conversations/$id/read"), 404, 'not_found');
	refused('none', $alice->put('/messages/conversations/99999999/read'), 404, 'not_found');
};

subtest 'reading, recalling, deleting one message' => sub {
	$t->befriend(qw(mia ned));
	my ($mia, $ned) = map { $t->api($_) } qw(mia ned);
	my @m = map { $t->send_text('mia', 'ned', "m$_", extra => {n => $_}) } 1 .. 6;
	my $id = $m[0]{conversation_id};

	my $r = $ned->put("/messages/$m[2]{id}/read");
	is $r->status, 200, 'read: 200';
	is_shape $r->json, $MESSAGE, 'the message';
	ok $r->json->{is_read} && $r->json->{read_at}, 'read, and when';
	is_deeply $ned->put("/messages/$m[2]{id}/read")->json, $r->json, 'again: the same';
	is conversation_of($ned, $id)->{unread_count}, 5, 'one less unread';
	is conversation_of($ned, $id)->{read_seq}, 0, 'read_seq stays';
	is conversation_of($ned, $id)->{change_seq}, 1, 'change_seq counts it once';
	refused('its sender', $mia->put("/messages/$m[2]{id}/read"), 403, 'forbidden');
	refused('a third', $alice->put("/messages/$m[2]{id}/read"), 404, 'not_found');
	refused('none', $ned->put('/messages/' . ($m[5]{id} + 1) . '/read'), 404, 'not_found');
	refused('zero', $ned->put('/messages/0/read'), 404, 'not_found');

	$r = $mia->put("/messages/$m[5]{id}/recall");
	is $r->status, 200, 'recall: 200';
	is_shape $r->json, $MESSAGE, 'the message';
	is_deeply [map { defined $r->json->{$_} ? 1 : 0 } qw(content media_url extra recalled_at)], [0, 0, 0, 1], 'without what it said';
	ok $r->json->{is_recalled}, 'recalled';
	is $r->json->{seq}, 6, 'in its place';
	is_deeply $mia->put("/messages/$m[5]{id}/recall")->json, $r->json, 'again: the same';
	is_deeply history($ned, $id, '?limit=1')->json->{items}[0], $r->json, 'the other side sees it so';
	is conversation_of($ned, $id)->{last_message}{id}, $m[5]{id}, 'it still is the last message';
	is conversation_of($ned, $id)->{unread_count}, 4, 'it is not unread any more';
	is $ned->get('/messages/unread-count')->json->{unread_count}, 4, 'in the total either';
	refused('its recipient', $ned->put("/messages/$m[4]{id}/recall"), 403, 'not_sender');
	refused('a third', $alice->put("/messages/$m[4]{id}/recall"), 404, 'not_found');
	make_older($m[0], 100);
	is $mia->put("/messages/$m[0]{id}/recall")->status, 200, 'within the window';
	make_older($m[1], 121);
	refused('past the window', $mia->put("/messages/$m[1]{id}/recall"), 409, 'recall_expired');
	make_older($m[5], 500);
	is $mia->put("/messages/$m[5]{id}/recall")->status, 200, 'a repeat is never too late';
	$t->unfriend(qw(mia ned));
	is $mia->put("/messages/$m[3]{id}/recall")->status, 200, 'friends no longer: what stands can be recalled';
	is history($ned, $id)->status, 200, 'and seen';

	my $unread = conversation_of($ned, $id)->{unread_count};
	$r = $ned->delete("/messages/$m[4]{id}");
	is $r->status . $r->body, '204', 'delete: 204 and nothing';
	is $ned->delete("/messages/$m[4]{id}")->status, 204, 'again: 204';
	is_deeply seqs(history($ned, $id)), [1, 2, 3, 4, 6], 'gone for who deleted it';
	is_deeply seqs(history($mia, $id)), [1 .. 6], 'and there for the other';
	is conversation_of($ned, $id)->{unread_count}, $unread - 1, 'an unread one counts no more';
	is $mia->delete("/messages/$m[4]{id}")->status, 204, 'the sender may, too';
	refused('a third', $alice->delete("/messages/$m[4]{id}"), 404, 'not_found');
	refused('none', $mia->delete('/messages/1'), 404, 'not_found');
	my $time = conversation_of($ned, $id)->{last_message_time};
	$ned->delete("/messages/$m[5]{id}");
	my $c = conversation_of($ned, $id);
	is $c->{last_message}{id}, $m[3]{id}, 'last_message: the newest not deleted';
	is $c->{last_message_time}, $time, 'last_message_time: of the newest all the same';
	is conversation_of($mia, $id)->{last_message}{id}, $m[5]{id}, 'the other side keeps its own';
	$ned->delete("/messages/$_->{id}") for @m;
	is conversation_of($ned, $id)->{last_message}, undef, 'all deleted: null';
	is_deeply history($ned, $id)->json, {items => [], has_more => JSON::PP::false}, 'an empty history';
	is conversation_of($ned, $id)->{unread_count}, 0, 'nothing unread';
	is_deeply seqs(history($mia, $id)), [1, 2, 3, 4, 6], 'the other side has what it did not delete';
};

subtest 'unread-count' => sub {
	$t->befriend('olga', $_) for qw(pam quin);
	my $olga = $t->api('olga');
	is_deeply $olga->get('/messages/unread-count')->json, {unread_count => 0, mention_count => 0}, 'none';
	my @m = map { $t->send_text($_, 'olga', 'x') } qw(pam quin pam quin pam);
	is_deeply $olga->get('/messages/unread-count')->json, {unread_count => 5, mention_count => 0}, 'over all conversations';
	is $t->api('pam')->get('/messages/unread-count')->json->{unread_count}, 0, 'one\'s own do not count';
	$olga->put("/messages/conversations/$m[0]{conversation_id}/read");
	is $olga->get('/messages/unread-count')->json->{unread_count}, 2, 'less what was read';
};

$t->stop;

subtest 'under a prefix' => sub {
	my $u = Tidings->start(workers => 1, conf => {http => {prefix => '/im/v1'}});
	$u->befriend(qw(alice bob));
	is $u->http('alice')->post('/messages/send', text_to('bob', 'x'))->status, 201, 'all paths are under it';
	is $u->http('alice', prefix => '')->get('/messages/unread-count')->code, 'not_found', 'and none beside it';
	my $ws = $u->ws('bob');
	is $ws->hello->{user_id}, 'bob', 'the WebSocket too';
	$u->stop;
};

subtest 'other limits' => sub {
	my $u = Tidings->start(workers => 1, conf => {http => {max_body => 2000}, message => {max_content => 100, recall_window => 5}});
	$u->befriend(qw(alice bob));
	is $u->api('alice')->post('/messages/send', text_to('bob', 'x' x 100))->status, 201, 'max_content';
	is $u->api('alice')->post('/messages/send', text_to('bob', 'x' x 101))->code, 'invalid_argument', 'over it';
	is $u->api('alice')->post('/messages/send', text_to('bob', 'x' x 2000))->code, 'payload_too_large', 'over max_body';
	my $m = $u->send_text('alice', 'bob', 'x');
	$u->dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 6 SECOND WHERE id = ?', undef, $m->{id});
	is $u->api('alice')->put("/messages/$m->{id}/recall")->code, 'recall_expired', 'recall_window';
	$u->stop;
};

done_testing;
