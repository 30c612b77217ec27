# SPDX-License-Identifier: BSD-2-Clause
# Proves searching messages (contract, section 9): what is found and where, only what the caller may see now, pages that
# stay as they are while messages arrive, that the index may be behind, be made anew, be off, or lose its relay, and that
# it always finds what a recount of all messages does.
use Tidings;
use Tidings::Shape;
use Tidings::Util qw(wait_for);
use utf8;
use Encode ();

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $t = Tidings->start(workers => 2, conf => {limits => {requests_per_second => 0, sends_per_second => 0}, groups => {fanout_per_second => 0}, message => {edit_window => 3600}});
$t->befriend(qw(alice bob carol dave));
my ($alice, $bob, $carol, $dave, $stranger) = map { $t->api($_) } qw(alice bob carol dave stranger);
my $dbh = $t->stack->dbh($t->{database});

sub escape { return join '', map { sprintf '%%%02X', ord } split //, Encode::encode('UTF-8', $_[0]) }
sub path { my (%p) = @_; return '/messages/search?' . join '&', map { "$_=" . escape($p{$_}) } sort keys %p }
sub search { my ($http, $q, %p) = @_; return $http->get(path(q => $q, %p)) }
sub items { my ($http, $q, %p) = @_; my $r = search($http, $q, %p); is $r->status, 200, "search for $q" or diag($r->body); return @{$r->json->{items} // []} }
sub ids { return [map { $_->{message}{id} } items(@_)] }
sub say_to { my ($from, $to, $content, %more) = @_; return $t->api($from)->post('/messages/send', text_to($to, $content, %more))->json }
sub say_in { my ($from, $id, $content, %more) = @_; return $t->api($from)->post('/messages/send', text_in($id, $content, %more))->json }
sub covered { my ($id) = @_; return scalar $dbh->selectrow_array('SELECT covered_seq FROM search_heads WHERE conversation_id = ?', undef, $id) // 0 }
sub state { return scalar $dbh->selectrow_array('SELECT state FROM search_state') }
# The relay reads the outbox every some seconds.
sub until_covered {
	my ($id, $seq) = @_;
	wait_for("$id to be covered up to $seq", sub { return 1 if covered($id) >= $seq; $t->node->clock(1); return 0 });
	return;
}
sub until_no_edits { wait_for('edits to be taken', sub { return 1 if !$dbh->selectrow_array('SELECT COUNT(*) FROM search_edits'); $t->node->clock(1); return 0 }); return }

subtest 'what is found' => sub {
	is state(), 1, 'the index of no messages is ready';
	my $m = say_to('alice', 'bob', 'Hello World, the café is open');
	my ($found) = items($bob, 'hello');
	is_shape $found, {message => $MESSAGE, conversation_id => 'id', highlights => 'array'}, 'an item';
	is_deeply $found, {message => $bob->get("/messages/$m->{id}")->json, conversation_id => $m->{conversation_id}, highlights => [[0, 5]]}, 'is the message, with where it is';
	is_deeply ids($alice, $_), [$m->{id}], "by $_" for 'WORLD', 'wor', 'cafe', 'CAFÉ', 'ｈｅｌｌｏ', 'open hello', '"hello world"', '"the cafe is op"', 'hel "is open" wor', 'hello!', '-hello', '(hello)', 'hello* +world', '"hello';
	is_deeply ids($alice, $_), [], "not by $_" for 'ello', 'hello moon', '"world hello"', '"hel world"', 'hello OR moon', 'NOT hello', '%', '_', '*', '"', '""', ' ', "'", '\\', 'hello NEAR world', 'content:hello', "x' OR '1'='1";
	my $zh = say_to('alice', 'bob', '我们明天去北京吃烤鸭，好吗？');
	is_deeply ids($bob, $_), [$zh->{id}], "Chinese by $_" for '北京', '明天', '天去', '京吃烤', '烤鸭', '"北京吃" 我们', '北京 烤鸭', '鸭';
	is_deeply ids($bob, $_), [], "not by $_" for '京北', '鸭好', '北京 上海';
	my $ja = say_to('alice', 'bob', '東京タワーへ行きました。ｶﾞｲﾄﾞさん');
	is_deeply ids($bob, $_), [$ja->{id}], "Japanese by $_" for 'タワー', '京タ', '行きまし', 'ガイド', 'ｶﾞｲﾄﾞ';
	my $ko = say_to('alice', 'bob', '대한민국 만세');
	is_deeply ids($bob, $_), [$ko->{id}], "Korean by $_" for '한민', '만세', "\x{1106}\x{1161}\x{11AB}\x{1109}\x{1166}";
	my $ru = say_to('alice', 'bob', 'Привет, МОСКВА!');
	is_deeply ids($bob, $_), [$ru->{id}], "Russian by $_" for 'моск', 'ПРИВЕТ';
	my $emoji = say_to('alice', 'bob', 'fun 🎉🎉 party');
	is_deeply [map { $_->{highlights} } items($bob, '🎉')], [[[4, 4]]], 'an emoji, counted in UTF-16';
	is_deeply [map { $_->{highlights} } items($bob, 'party fun')], [[[0, 3], [9, 5]]], 'several places, in order';
	my $file = $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'file', media_url => 'https://x.example/a/3f9c', content => 'figures attached', extra => {file_name => 'Budget 2027.xlsx', size => 7}})->json;
	is_deeply ids($bob, $_), [$file->{id}], "a file by $_" for 'budget', 'figures', '2027 attached', 'xlsx';
	is_deeply [map { $_->{highlights} } items($bob, 'budget')], [[]], 'whose name has no highlights';
	my $image = $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'image', media_url => 'https://x.example/photos/%E5%8D%88%E9%A4%90-lunch.jpg?x=secret'})->json;
	is_deeply ids($bob, $_), [$image->{id}], "a picture by $_" for 'lunch', '午餐', 'jpg';
	is_deeply ids($bob, $_), [], "not by $_" for 'secret', 'photos', '3f9c';
};

subtest 'filters' => sub {
	my @m = map { say_to(@$_) } ['alice', 'carol', 'filter one'], ['carol', 'alice', 'filter two'], ['alice', 'dave', 'filter three'];
	push @m, $alice->post('/messages/send', {to_user_id => 'carol', message_type => 'image', media_url => 'https://x.example/z', content => 'filter four'})->json;
	my @id = map { $_->{id} } @m;
	is_deeply ids($alice, 'filter'), [reverse @id], 'the newest first, across conversations';
	is_deeply ids($carol, 'filter'), [@id[3, 1, 0]], 'only one\'s own';
	is_deeply ids($alice, 'filter', conversation_id => $m[0]{conversation_id}), [@id[3, 1, 0]], 'in one conversation';
	is_deeply ids($alice, 'filter', from => 'carol'), [$id[1]], 'of one sender';
	is_deeply ids($alice, 'filter', type => 'image'), [$id[3]], 'of one type';
	is_deeply ids($alice, 'filter', type => $_), [], "of none that is $_" for qw(forward sticker system);
	is_deeply ids($alice, 'filter', after => $m[1]{created_at}), [grep { my $id = $_; grep { $_->{id} eq $id && $_->{created_at} gt $m[1]{created_at} } @m } reverse @id], 'after a time';
	is_deeply ids($alice, 'filter', before => $m[1]{created_at}), [grep { my $id = $_; grep { $_->{id} eq $id && $_->{created_at} lt $m[1]{created_at} } @m } reverse @id], 'before one';
	is_deeply ids($alice, 'filter', before => '2020-01-01T01:00:00+01:00'), [], 'of any offset';
	for (qw(0001-01-01T00:00:00Z 1969-12-31T23:59:59Z 1970-01-01T00:00:00Z 1970-01-01T00:00:00.001Z)) {
		is_deeply [ids($alice, 'filter', after => $_), ids($alice, 'filter', before => $_)], [[reverse @id], []], "all are after $_";
	}
	is_deeply [ids($alice, 'filter', after => '9999-12-31T23:59:59Z'), ids($alice, 'filter', before => '9999-12-31T23:59:59Z')], [[], [reverse @id]], 'and before the end of time';
	is_deeply ids($alice, 'filter', from => 'alice', type => 'text', conversation_id => $m[2]{conversation_id}), [$id[2]], 'all of them';
};

subtest 'what is refused' => sub {
	refused('no q', $alice->get('/messages/search'), 400, 'invalid_argument', qr/^q: /);
	refused('an empty one', search($alice, ''), 400, 'invalid_argument', qr/^q: /);
	is search($alice, '好' x 128)->status, 200, '128 characters';
	refused('129 characters', search($alice, '好' x 129), 400, 'invalid_argument', qr/^q: /);
	refused('NUL', search($alice, "a\0b"), 400, 'invalid_argument', qr/^q: /);
	refused('no UTF-8', $alice->get('/messages/search?q=%FF'), 400, 'invalid_argument', qr/^q: /);
	for (['limit', 0], ['limit', 101], ['limit', 'x'], ['cursor', 'x'], ['conversation_id', 'x'], ['conversation_id', ''], ['from', ''], ['from', 'a b'], ['type', 'poem'], ['after', 'yesterday'], ['before', '2026-13-01T00:00:00Z']) {
		refused("$_->[0]=$_->[1]", search($alice, 'x', $_->[0] => $_->[1]), 400, 'invalid_argument', qr/^$_->[0]: /);
	}
	my $m = say_to('alice', 'bob', 'a secret');
	refused('a foreign conversation', search($carol, 'secret', conversation_id => $m->{conversation_id}), 404, 'not_found');
	refused('none', search($carol, 'secret', conversation_id => $_), 404, 'not_found') for '1', '0', '18446744073709551615', '17179869999';
	is_deeply ids($_, 'secret'), [], 'a stranger finds nothing' for $carol, $stranger;
	refused('a POST', $alice->post('/messages/search?q=x', {}), 405, 'method_not_allowed');
	refused('no token', $t->http(undef)->get('/messages/search?q=x'), 401, 'token_invalid');
};

subtest 'what is gone is not found, what was edited is found by what it is' => sub {
	for my $indexed (0, 1) {
		my $name = $indexed ? 'in the index' : 'behind it';
		my $m = say_to('alice', 'bob', "zebra$indexed first");
		my $other = say_to('bob', 'alice', "zebra$indexed other");
		if ($indexed) {
			say_to('alice', 'bob', "filling $_") for 1 .. 16;
			until_covered($m->{conversation_id}, (map { $_->{seq} } $other)[0]);
		}
		is_deeply ids($alice, "zebra$indexed"), [$other->{id}, $m->{id}], "both, $name";
		is $alice->put("/messages/$m->{id}", {content => "giraffe$indexed now"})->status, 200, 'an edit';
		is_deeply ids($_, "giraffe$indexed"), [$m->{id}], 'counts at once' for $alice, $bob;
		is_deeply ids($_, "zebra$indexed"), [$other->{id}], 'and the text before is not found' for $alice, $bob;
		is_deeply ids($bob, "giraffe$indexed", conversation_id => $m->{conversation_id}), [$m->{id}], 'in the conversation, too';
		until_no_edits();
		is_deeply ids($bob, "giraffe$indexed"), [$m->{id}], 'also when the index has it';
		is $bob->delete("/messages/$m->{id}")->status, 204, 'one side deletes it';
		is_deeply [ids($bob, "giraffe$indexed"), ids($alice, "giraffe$indexed")], [[], [$m->{id}]], 'and does not find it';
		is $bob->put("/messages/$other->{id}/recall")->status, 200, 'the other is recalled';
		is_deeply ids($_, "zebra$indexed"), [], 'and not found' for $alice, $bob;
	}
	my $m = say_to('alice', 'bob', 'expiring soon');
	$dbh->do('UPDATE messages SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE id = ?', undef, $m->{id});
	is_deeply ids($bob, 'expiring'), [], 'what has expired is not found, even before it is erased';
	my $group = $t->group('carol', ['dave']);
	for (say_to('carol', 'dave', 'walrus one'), say_in('carol', $group, 'walrus two')) {
		my $later = say_in('dave', $_->{conversation_id}, "walrus later than $_->{seq}");
		is $dave->delete("/messages/conversations/$_->{conversation_id}?up_to_seq=$_->{seq}")->status, 204, 'a history is cleared';
		is_deeply ids($dave, 'walrus', conversation_id => $_->{conversation_id}), [$later->{id}], 'and not found, but what came later';
		is_deeply [grep { $_ eq $later->{id} } @{ids($dave, 'walrus')}], [$later->{id}], 'in all of them, too';
	}
	is scalar(@{ids($carol, 'walrus')}), 4, 'the other side finds all';
};

subtest 'groups' => sub {
	my $id = $t->group('alice', ['bob'], settings => {history => 'joined'});
	my $before = say_in('alice', $id, 'penguin before');
	is $alice->post("/groups/$id/members", {user_ids => ['carol']})->status < 300, 1, 'carol joins';
	my $after = say_in('bob', $id, 'penguin after');
	is_deeply ids($alice, 'penguin'), [$after->{id}, $before->{id}], 'all of it';
	is_deeply ids($carol, 'penguin'), [$after->{id}], 'from where one joined';
	is_deeply ids($carol, 'penguin', conversation_id => $id), [$after->{id}], 'in the group, too';
	say_in('alice', $id, "filling $_") for 1 .. 130;
	until_covered($id, 127);
	is_deeply ids($carol, 'penguin'), [$after->{id}], 'also by the index';
	is $carol->delete("/messages/$after->{id}")->status, 204, 'deleted';
	is_deeply [ids($carol, 'penguin'), ids($bob, 'penguin')], [[], [$after->{id}, $before->{id}]], 'for oneself';
	is $alice->put("/messages/$before->{id}", {content => 'ostrich before'})->status, 200, 'edited';
	is_deeply [ids($bob, 'ostrich'), ids($carol, 'ostrich')], [[$before->{id}], []], 'at once, and not for whom it was before';
	is $alice->put("/messages/$after->{id}/recall")->status, 200, 'recalled by an admin';
	is_deeply ids($bob, 'penguin'), [], 'at once';
	my $last = say_in('alice', $id, 'penguin last');
	is $alice->delete("/groups/$id/members/bob")->status, 204, 'bob is removed';
	is_deeply ids($bob, 'penguin'), [], 'and finds nothing';
	refused('nor the group', search($bob, 'penguin', conversation_id => $id), 404, 'not_found');
	is_deeply ids($alice, 'added'), [], 'system messages are not found';
};

subtest 'pages stay while messages arrive' => sub {
	my @m = map { say_to(@{[['alice', 'bob'], ['carol', 'alice'], ['alice', 'dave']]->[$_ % 3]}, "page number $_") } 1 .. 100;
	my @want = map { $_->{id} } sort { $b->{created_at} cmp $a->{created_at} || $b->{id} <=> $a->{id} } @m;
	my (@got, $cursor);
	for my $n (1 .. 50) {
		my $r = search($alice, 'page number', limit => 7, defined $cursor ? (cursor => $cursor) : ())->json;
		push @got, map { $_->{message}{id} } @{$r->{items}};
		$cursor = $r->{next_cursor};
		last if !defined $cursor;
		say_to('alice', 'bob', "page number new $n");
	}
	is $cursor, undef, 'the last page has no cursor';
	is_deeply \@got, \@want, 'each once, the newest first';
	is_deeply ids($alice, 'page number', limit => 100, cursor => '1-1'), [], 'a cursor before all';
};

subtest 'nothing is missed that the index does not have' => sub {
	# By the database alone: far more than one step looks at, long before any relay has seen them.
	my $c = say_to('bob', 'carol', 'begin')->{conversation_id};
	my $last = 5000;
	$dbh->do("INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at) SELECT (? << 28) + seq, IF(seq % 2, 'bob', 'carol'), IF(seq % 2, 'carol', 'bob'), 0, CONCAT('bulk ', seq, IF(seq % 1000 = 7, ' needle', '')), CONCAT('bulk:', seq), UTC_TIMESTAMP(3) + INTERVAL (CAST(seq AS SIGNED) - $last) SECOND FROM seq_2_to_$last", undef, $c);
	$dbh->do("UPDATE conversations SET last_seq = $last, last_message_time = UTC_TIMESTAMP(3), user1_last_id = (id << 28) + $last, user2_last_id = (id << 28) + $last WHERE id = ?", undef, $c);
	my @want = map { ($c << 28) + $_ . '' } reverse 7, 1007, 2007, 3007, 4007;
	is_deeply ids($bob, 'needle'), \@want, 'all are found';
	is covered($c), 0, 'without an index';
	say_to('bob', 'carol', 'one more') for 1 .. 16;
	until_covered($c, 4991);
	is_deeply ids($bob, 'needle'), \@want, 'and with one';
	my @pages;
	my $cursor;
	do {
		my $r = search($bob, 'needle', limit => 2, defined $cursor ? (cursor => $cursor) : ())->json;
		push @pages, map { $_->{message}{id} } @{$r->{items}};
		$cursor = $r->{next_cursor};
	} while defined $cursor;
	is_deeply \@pages, \@want, 'page by page';
	is_deeply ids($bob, 'bulk 123'), [map { ($c << 28) + $_ . '' } reverse 123, 1230 .. 1239], 'beginnings of numbers';
	is scalar(@{ids($bob, '"bulk 12" needle')}), 0, 'a phrase that is nowhere';
	is_deeply ids($bob, 'bulk needle', before => '2000-01-01T00:00:00Z'), [], 'before all';
};

subtest 'made anew, and while it is' => sub {
	like $t->node->ctl_ok('search', 'status'), qr/^state\s+ready since /, 'the state';
	is $t->node->ctl_ok('--json', 'search', 'status')->{state}, 'ready', 'as JSON';
	my @before = map { @{ids($bob, $_)} } 'needle', 'giraffe1', '北京';
	kill 'STOP', my $relay = ($t->node->relay_pids)[0];
	$t->node->ctl_ok('search', 'rebuild');
	my $state = $t->node->ctl_ok('--json', 'search', 'status');
	is_deeply [@$state{qw(state walked percent)}], ['building', 0, 0], 'it is being built';
	my $r = search($alice, 'hello');
	refused('no search meanwhile', $r, 503, 'unavailable', qr/being built/);
	ok $r->header('retry-after'), 'with Retry-After';
	ok say_to('alice', 'bob', 'sent meanwhile')->{id}, 'sending does not wait for it';
	kill 'CONT', $relay;
	wait_for('the index to be built', sub { return 1 if state() == 1; $t->node->clock(1); return 0 });
	is_deeply [map { @{ids($bob, $_)} } 'needle', 'giraffe1', '北京'], \@before, 'it finds the same';
	is scalar(@{ids($bob, 'meanwhile')}), 1, 'and what was sent meanwhile';
	my ($old) = $dbh->selectrow_array('SELECT COUNT(*) FROM search_heads WHERE generation <> (SELECT generation FROM search_state)');
	is $old, 0, 'all was made anew';
	is +($t->node->ctl('search', @$_))[0], 2, "a usage: search @$_" for [], ['unknown'], [qw(status now)];
};

subtest 'the relay dies in the middle' => sub {
	$t->node->allow_deaths(4);
	$t->node->ctl_ok('search', 'rebuild');
	for (1 .. 3) {
		my ($pid) = $t->node->relay_pids;
		kill 'KILL', $pid;
		wait_for('another relay', sub { my ($new) = $t->node->relay_pids; return $new && $new != $pid });
		$t->node->clock(3);
	}
	wait_for('the index to be built', sub { return 1 if state() == 1; $t->node->clock(1); return 0 });
	is scalar(@{ids($bob, 'needle')}), 5, 'all is found';
	say_to('alice', 'bob', "mortal $_") for 1 .. 40;
	my ($pid) = $t->node->relay_pids;
	kill 'KILL', $pid;
	wait_for('another relay', sub { my ($new) = $t->node->relay_pids; return $new && $new != $pid });
	my ($c) = $dbh->selectrow_array("SELECT id FROM conversations WHERE user1_id = 'alice' AND user2_id = 'bob'");
	my ($last) = $dbh->selectrow_array('SELECT last_seq FROM conversations WHERE id = ?', undef, $c);
	until_covered($c, $last - 15);
	is scalar(@{ids($bob, 'mortal', limit => 100)}), 40, 'and what came in between';
	wait_for('the outbox to be read', sub { $t->node->clock(1); my ($left) = $dbh->selectrow_array("SELECT COUNT(*) FROM outbox o LEFT JOIN outbox_done d ON d.consumer = 'search' AND d.stream = o.stream WHERE o.n > COALESCE(d.n, 0)"); return !$left });
	pass 'the outbox is read to its end';
};

# Against all that history shows, compared with plain words here: what is sent, edited, recalled and deleted by whom, while
# the index follows whenever it does.
subtest 'always what a recount finds' => sub {
	my @word = qw(red green blue redder greenish teal ROT grün);
	my %id = (pair => say_to('alice', 'bob', 'begin')->{conversation_id}, group => $t->group('dave', [qw(alice bob)], settings => {history => 'joined'}));
	$t->befriend(qw(dave erin));
	my $erin = $t->api('erin');
	my %user = (alice => $alice, bob => $bob, dave => $dave, erin => $erin);
	my (@made, $tried);
	my $fold = sub { return lc($_[0]) =~ tr/ü/u/r };
	my $recount = sub {
		my ($http, $q) = @_;
		my @found;
		for my $c (values %id) {
			my $before;
			while (1) {
				my $r = $http->get("/messages/conversations/$c/messages?limit=100" . (defined $before ? "&before=$before" : ''));
				last if $r->status == 404;
				my @m = @{$r->json->{items}};
				push @found, grep { my $m = $_; my $text = $fold->($m->{content} // ''); !grep { $text !~ /\b\Q$_\E/ } map { $fold->($_) } split / /, $q } @m;
				last if !$r->json->{has_more};
				$before = $m[0]{seq};
			}
		}
		return [map { $_->{id} } sort { $b->{created_at} cmp $a->{created_at} || $b->{id} <=> $a->{id} } @found];
	};
	my $all = sub {
		my ($http, $q, $limit) = @_;
		my (@found, $cursor);
		do {
			my $r = search($http, $q, limit => $limit, defined $cursor ? (cursor => $cursor) : ())->json;
			push @found, grep { my $id = $_; grep { $id >> 28 == $_ } values %id } map { $_->{message}{id} } @{$r->{items}};
			$cursor = $r->{next_cursor};
		} while defined $cursor;
		return \@found;
	};
	srand(my $seed = $ENV{TIDINGS_SEED} // time);
	note "seed $seed";
	my $text = sub { return join ' ', map { $word[rand @word] } 0 .. 1 + rand 3 };
	for my $step (1 .. 400) {
		my $who = (qw(alice bob dave erin))[rand 4];
		my $what = rand;
		my $m = @made ? $made[rand @made] : undef;
		if ($what < 0.6 || !$m) {
			my $to_pair = $who =~ /alice|bob/ && rand() < 0.5;
			my $r = $user{$who}->post('/messages/send', $to_pair ? text_to($who eq 'alice' ? 'bob' : 'alice', $text->()) : text_in($id{group}, $text->()));
			push @made, $r->json if $r->status == 201;
		} elsif ($what < 0.72) {
			$user{$m->{from_user_id}}->put("/messages/$m->{id}", {content => $text->()});
		} elsif ($what < 0.8) {
			$user{$m->{from_user_id}}->put("/messages/$m->{id}/recall");
		} elsif ($what < 0.92) {
			$user{$who}->delete("/messages/$m->{id}");
		} elsif ($what < 0.95) {
			$dave->post("/groups/$id{group}/members", {user_ids => ['erin']});
		} elsif ($what < 0.97) {
			$erin->delete("/groups/$id{group}/members/erin");
		} else {
			$t->node->clock(1);
		}
		until_covered($id{group}, 16 * int((1 + $dbh->selectrow_array('SELECT last_seq FROM group_heads WHERE id = ?', undef, $id{group})) / 16) - 1) if $step % 110 == 0;
		next if $step % 8;
		my $asker = (qw(alice bob dave erin))[rand 4];
		my $q = join ' ', map { substr $word[rand @word], 0, 2 + rand 4 } 0 .. rand 2;
		my ($got, $want) = ($all->($user{$asker}, $q, 1 + int rand 30), $recount->($user{$asker}, $q));
		$tried += @$want;
		next if "@$got" eq "@$want";
		is_deeply $got, $want, "step $step: $asker searches for $q" or last;
	}
	ok $tried > 100, "what was found is what is there, $tried times";
};

subtest 'off, and on again' => sub {
	my %conf = %{$t->node->{conf}};
	$t->node->configure({%conf, search => {backend => 'off'}});
	$t->node->reload;
	wait_for('the path to go', sub { search($alice, 'hello')->status == 404 });
	refused('no such path', search($alice, 'hello'), 404, 'not_found');
	refused('whatever the method', $alice->post('/messages/search?q=x', {}), 404, 'not_found');
	wait_for('the index to be given up', sub { return 1 if state() == 2; $t->node->clock(1); return 0 });
	like $t->node->ctl_ok('search', 'status'), qr/^state\s+off since /, 'the state';
	is +($t->node->ctl('search', 'rebuild'))[0], 1, 'nothing is made anew';
	my $m = say_to('alice', 'bob', 'written while off');
	is $alice->put("/messages/$m->{id}", {content => 'edited while off'})->status, 200, 'edits go on';
	$t->node->configure({%conf, search => {backend => 'auto'}});
	$t->node->reload;
	wait_for('the index to be built', sub { return 1 if state() == 1; $t->node->clock(1); return 0 });
	wait_for('the path to come back', sub { search($alice, 'edited')->status == 200 });
	is_deeply ids($bob, '"edited while off"'), [$m->{id}], 'all is found';
	is scalar(@{ids($bob, 'needle')}), 5, 'also what was before';
	$t->node->configure({%conf, search => {backend => 'elastic'}});
	my ($status, undef, $said) = $t->node->ctl('reload');
	is $status, 1, 'an unknown backend is refused';
	like $said, qr/search\.backend: 'elastic' is not one of auto or off/, 'by its name';
	$t->node->configure(\%conf);
};

$t->stop;
done_testing;
