# SPDX-License-Identifier: BSD-2-Clause
# Proves before_send (contract, section 11): what a server of the operator's is asked, that it allows, refuses and replaces
# messages, edits and forwarded copies by both doors, that the repeat of a replaced message is one, that what a session
# sends stays in order, what becomes of messages while that server fails, and that nothing is lost or left behind whatever dies meanwhile.
use Tidings;
use Tidings::Hook;
use Tidings::Spec;
use Digest::SHA qw(hmac_sha256_hex);
use IO::Socket::INET;
use JSON::PP ();
use Tidings::Util qw(free_port signal_and_reap spawn);

my $SECRET = 'a secret of before_send, with 32 bytes and more';
my $hook = Tidings::Hook->new(dir => Tidings::dir(), secret => $SECRET);
# Of the two nodes one allows what is not decided, and one refuses it. What fails is told from what is slow by the others' patience.
sub asking { my (%o) = @_; return {allow_private => 'true', before_send => {url => $hook->url('/ask'), secret_file => $hook->secret_file, timeout_ms => 10000, %o}} }
my $t = Tidings->start(nodes => 2, workers => 1, start => 0, conf => {relay => asking()});
my ($allowing, $refusing) = $t->nodes;
$refusing->configure({%{$refusing->{conf}}, relay => asking(on_failure => 'refuse')});
$_->start for $t->nodes;
my $dbh = $t->dbh;
$hook->answer('by content');
$t->befriend(qw(ann ben cat));
my $n = 0; # of what fails

sub client { my ($user, $node) = @_; return $t->http($user, node => $node // 0, token => $t->token($user, exp => time + 1_000_000)) }
sub said { my ($from, $to, $content, %o) = @_; my $node = delete $o{node}; return client($from, $node)->post('/messages/send', text_to($to, $content, %o)) }
sub asked { my ($how) = @_; return map { JSON::PP->new->utf8->decode($_->{body}) } $hook->requests('/ask', $how) }
sub wait_asked { my ($more, $how) = @_; wait_for("$more questions", sub { my @q = asked($how); @q >= $more }); return asked($how) }
sub one { my ($id) = @_; return client('ann')->get("/messages/$id")->json }
sub stored { my ($content) = @_; return scalar $dbh->selectrow_array('SELECT COUNT(*) FROM messages WHERE content = ?', undef, $content) }
sub hash_of { my ($id) = @_; return scalar $dbh->selectrow_array('SELECT sent_hash FROM messages WHERE id = ?', undef, $id) }
sub metric { my ($node, $name) = @_; my ($v) = $node->admin_http->get('/metrics')->body =~ /^\Q$name\E (\d+)$/m; return $v }
sub count_of { my ($node, $result) = @_; return metric($node, qq(tidings_before_send_total{result="$result"})) }
# The node's worker has not failed lately.
sub be_well { my ($i) = @_; $t->node($i)->clock(2); is said('ann', 'ben', 'all is well', node => $i)->status, 201, 'all is well'; return }
my %group;

subtest 'what is asked' => sub {
	my $r = said(ann => ben => 'hello', client_msg_id => 'first', mentions => ['ben', 'zoe'], extra => {a => 1});
	is $r->status, 201, 'it is stored' or diag($r->body);
	my ($request) = $hook->requests('/ask');
	ok defined $hook->signed($request) && $hook->signed($request) < 60, 'what is asked is signed, just now';
	like $request->{head}, qr{^Content-Type: application/json\r?$}m, 'and is JSON';
	my ($q) = asked();
	is_deeply [keys %$q], ['message'], 'it shows the message';
	is_deeply [@{$q->{message}}{qw(id conversation_id seq created_at expires_at)}], [(undef) x 5], 'without what is not known';
	is_deeply [@{$q->{message}}{qw(from_user_id to_user_id message_type content client_msg_id mentions extra)}], ['ann', 'ben', 'text', 'hello', 'first', ['ben', 'zoe'], {a => 1}], 'and what is';
	is_deeply $r->json->{mentions}, ['ben'], 'who is no party is dropped when it is stored';
	$group{id} = $t->group('ann', ['ben']);
	is client('ann')->post('/messages/send', text_in($group{id}, 'to all', expires_in => 3600))->status, 201, 'to a group';
	my @q = asked();
	is_deeply [@{$q[-1]{message}}{qw(conversation_id to_user_id)}], [$group{id}, undef], 'its conversation is known';
	is scalar @q, 2, 'nobody asks about what happened to the group';
	my $conversation = $r->json->{conversation_id};
	is client('ann')->post('/messages/send', text_in($conversation, 'by its conversation', reply_to => $r->json->{id}))->status, 201, 'by the conversation';
	is_deeply [@{(asked())[-1]{message}}{qw(to_user_id reply_to)}], ['ben', $r->json->{id}], 'the other side is known';
	my $schemas = Tidings::Spec::closed_schemas();
	my $described = Tidings::Spec::deref($schemas->data, {'$ref' => '#/openapi/components/schemas/HookQuestion'});
	is_deeply [map { $schemas->validate($_, $described) } asked()], [], 'all is as doc/openapi.yaml says';
	my $before = asked();
	refused 'what is malformed', said(ann => ben => ''), 400, 'invalid_argument';
	is scalar(asked()), $before, 'is not asked about';
};

subtest 'administrators are not asked about' => sub {
	my $ops = $t->node->admin_http;
	$ops->{token} = $t->token('ops', scope => 'admin');
	my $before = asked();
	is $ops->post('/admin/messages', text_to('ben', 'refuse: from the server'))->status, 201, 'the server writes';
	is $ops->post('/admin/messages', {%{text_to('ben', 'refuse: as ann')}, from_user_id => 'ann'})->status, 201, 'as somebody, too';
	is scalar(asked()), $before, 'nobody is asked';
};

subtest 'refused' => sub {
	my $before = count_of($allowing, 'refused');
	refused 'a text', said(ann => ben => "refuse: not\nhere"), 403, 'refused', qr/\Anot here\z/;
	refused 'without a reason', said(ann => ben => 'raw: 200 {"action":"refuse"}'), 403, 'refused', qr/./;
	refused 'to a group', client('ann')->post('/messages/send', text_in($group{id}, 'refuse: nor here')), 403, 'refused';
	refused 'with an id', said(ann => ben => 'refuse: it', client_msg_id => 'refused'), 403, 'refused';
	refused 'and again', said(ann => ben => 'refuse: it', client_msg_id => 'refused'), 403, 'refused';
	is said(ann => ben => 'something else', client_msg_id => 'refused')->status, 201, 'the id is free';
	my $ws = $t->ws('ann');
	my $e = $ws->request(type => 'send', %{text_to('ben', "refuse: \x{202e}no\n\x{85}\x{2028}\x{1F600}")});
	is_deeply [@$e{qw(type code detail)}], ['error', 'refused', "no \x{1F600}"], 'by a WebSocket, in the same way, and cleaned' or diag(explain $e);
	is stored($_), 0, 'nothing is stored' for "refuse: not\nhere", 'refuse: nor here', 'refuse: it';
	is count_of($allowing, 'refused'), $before + 6, 'each is counted';
	is metric($allowing, 'tidings_refused_total{reason="refused"}'), 6, 'and each refusal';
	$ws->close;
};

sub text_with { my ($content, @entities) = @_; return {%{text_to('ben', $content)}, entities => [map { my ($type, $offset, $length, %o) = @$_; {type => $type, offset => $offset, length => $length, %o} } @entities]} }

subtest 'replaced' => sub {
	my $wb = $t->ws('ben');
	my $r = said(ann => ben => 'replace: as it should be');
	is_deeply [$r->status, $r->json->{content}], [201, 'as it should be'], 'the answer has what is stored';
	is $wb->expect('message')->{message}{content}, 'as it should be', 'and so has the event';
	is one($r->json->{id})->{content}, 'as it should be', 'and the history';
	my $ws = $t->ws('ann');
	is $ws->request(type => 'send', %{text_to('ben', 'replace: by a frame')})->{message}{content}, 'by a frame', 'by a WebSocket';
	is $ws->request(type => 'send', %{text_in($group{id}, 'replace: in a group', mentions => ['ben'])})->{message}{content}, 'in a group', 'in a group';
	is_deeply $wb->wait_event('the mention', sub { ($_[0]{message}{content} // '') eq 'in a group' })->{message}{mentions}, ['ben'], 'whose mentions stay';
	my $m = client('ann')->post('/messages/send', text_with('replace: a new text, bold', ['bold', 0, 3], ['italic', 9, 9], ['link', 21, 4, url => 'https://e.example/']))->json;
	is_deeply [@$m{qw(content entities)}], ['a new text, bold', undef], 'formatting that does not fit is gone';
	$m = client('ann')->post('/messages/send', text_with('raw: 200 {"action":"replace","content":"raw: 2xx"}', ['bold', 0, 4], ['italic', 0, 8]))->json;
	is_deeply $m->{entities}, [{type => 'bold', offset => 0, length => 4}], 'what fits stays';
	$m = client('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'image', media_url => 'https://x.example/y.png', content => 'replace: '})->json;
	is_deeply [@$m{qw(content media_url)}], ['', 'https://x.example/y.png'], 'of a picture the text alone, which may be empty';
	$_->close for $ws, $wb;
};

subtest 'the repeat of a replaced message' => sub {
	my @sent = map { said(ann => ben => "replace: quick $_", client_msg_id => "quick-$_") } 0 .. 9;
	my $last = $#sent;
	is_deeply [$sent[-1]->status, $sent[-1]->json->{content}], [201, "quick $last"], 'one of several is stored';
	my $repeat = said(ann => ben => "replace: quick $last", client_msg_id => "quick-$last");
	is_deeply [$repeat->status, $repeat->json], [200, $sent[-1]->json], 'and its repeat is one';
	refused 'another is not', said(ann => ben => 'replace: quick', client_msg_id => "quick-$last"), 409, 'client_msg_id_reused';
	my %body = (client_msg_id => 'again', mentions => ['ben'], extra => {a => [1, 2]}, expires_in => 86400);
	for my $to (['direct', sub { text_to('ben', @_) }], ['group', sub { text_in($group{id}, @_) }]) {
		my ($name, $make) = @$to;
		my $send = sub { my ($content, %o) = @_; return client('ann', delete $o{node})->post('/messages/send', $make->($content, %body, client_msg_id => $name, %o)) };
		my $first = $send->('replace: other');
		is_deeply [$first->status, $first->json->{content}], [201, 'other'], "$name: it is stored";
		is length hash_of($first->json->{id}), 16, 'with a hash of what was sent';
		for my $node (0, 1) {
			my $r = $send->('replace: other', node => $node);
			is_deeply [$r->status, $r->json], [200, $first->json], "node $node: its repeat is answered that";
		}
		refused 'what is stored is another message', $send->('other'), 409, 'client_msg_id_reused';
		refused 'so is another text', $send->('replace: another'), 409, 'client_msg_id_reused';
		refused 'and one that is refused', $send->('refuse: it'), 409, 'client_msg_id_reused';
		refused "another $_->[0]", $send->('replace: other', @$_[1, 2]), 409, 'client_msg_id_reused' for ['mentions', mentions => []], ['extra', extra => {a => [1, 3]}], ['expires_in', expires_in => 86401], ['reply_to', reply_to => $first->json->{id}];
		$hook->answer('200 {"action":"refuse"}');
		is_deeply [$send->('replace: other')->status], [200], 'whatever is decided about it now: refused';
		$hook->answer('200 {"action":"replace","content":"a third"}');
		is $send->('replace: other')->json->{content}, 'other', 'replaced by another';
		$hook->answer('200 {"action":"allow"}');
		is $send->('replace: other')->json->{content}, 'other', 'allowed';
		$hook->answer('500');
		is $send->('replace: other', node => $_)->json->{content}, 'other', "or not decided, node $_" for 0, 1;
		$hook->answer('by content');
		my $edited = client('ann')->put('/messages/' . $first->json->{id}, {content => 'edited'});
		is $edited->json->{content}, 'edited', 'it can be edited';
		is $send->('replace: other')->json->{content}, 'edited', 'then its repeat shows that';
		is client('ann')->put('/messages/' . $first->json->{id} . '/recall')->status, 200, 'it is recalled';
		is hash_of($first->json->{id}), undef, 'which leaves nothing of what was sent';
		my $r = $send->('replace: other');
		is_deeply [$r->status, $r->json->{is_recalled}], [200, JSON::PP::true], 'its repeat is one still';
	}
	my $m = said(ann => ben => 'replace: without an id')->json;
	is hash_of($m->{id}), undef, 'one that cannot be repeated has no hash';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM messages WHERE sent_hash IS NOT NULL AND client_msg_id LIKE "first"'), 0, 'nor has one that was not replaced';
};

subtest 'stored as it was sent, and replaced when it is repeated' => sub {
	$hook->answer('500');
	my $r = said(ann => ben => 'replace: too late', client_msg_id => 'late');
	is_deeply [$r->status, $r->json->{content}], [201, 'replace: too late'], 'while it fails it is stored';
	$hook->answer('by content');
	my $again = said(ann => ben => 'replace: too late', client_msg_id => 'late');
	is_deeply [$again->status, $again->json->{id}, $again->json->{content}], [200, $r->json->{id}, 'replace: too late'], 'its repeat is one';
};

subtest 'the same twice at a time' => sub {
	$hook->hold('/ask');
	my $before = asked('held');
	my @http = map { client('ann', $_ % 2)->connect } 0 .. 7;
	$_->send_request(POST => '/messages/send', json => text_to('ben', 'replace: once', client_msg_id => 'once')) for @http;
	wait_asked($before + 8, 'held');
	$hook->release;
	my @r = map { $_->response } @http;
	is_deeply [sort map { $_->status } @r], [(200) x 7, 201], 'one is stored';
	is_deeply [keys %{{map { $_->json->{id} => 1 } @r}}], [$r[0]->json->{id}], 'the others are its repeats';
	is $r[0]->json->{content}, 'once', 'which is replaced';
	$hook->answer('by content', '/ask');
};

subtest 'forwarded' => sub {
	$hook->answer('200 {"action":"allow"}', '/ask');
	my @m = map { said(ben => ann => $_)->json } 'good', 'refuse: this one', 'replace: of a copy';
	$hook->answer('by content', '/ask');
	my $forward = sub { my ($ids, %o) = @_; my $r = client('ann')->post('/messages/forward', {message_ids => $ids, to => [{user_id => 'cat'}, {conversation_id => $group{id}}], %o}); $r->status == 200 or diag($r->body); return @{$r->json->{results}} };
	my @results = $forward->([map { $_->{id} } @m], client_msg_id => 'forward');
	for (@results) {
		is_deeply [map { $_->{content} } @{$_->{messages}}], ['good'], 'what comes before the refused one is stored';
		is_deeply $_->{error}, {code => 'refused', detail => 'this one'}, 'the rest is refused';
	}
	@results = $forward->([$m[0]{id}, $m[2]{id}], client_msg_id => 'replaced');
	is_deeply [map { $_->{content} } @{$_->{messages}}], ['good', 'of a copy'], 'a copy is replaced' for @results;
	my @again = $forward->([$m[0]{id}, $m[2]{id}], client_msg_id => 'replaced');
	is_deeply \@again, \@results, 'a repeat finds them';
	my ($of_copy) = map { $_->{message} } grep { ($_->{message}{content} // '') eq 'good' && $_->{message}{forwarded_from} } asked();
	is_deeply [@$of_copy{qw(from_user_id client_msg_id)}, $of_copy->{forwarded_from}{user_id}], ['ann', undef, 'ben'], 'a copy is asked about as what it is';
	my ($merged) = $forward->([map { $_->{id} } @m], mode => 'merged', comment => 'see this');
	is scalar @{$merged->{messages}}, 2, 'a merged one is allowed';
	($merged) = $forward->([map { $_->{id} } @m], mode => 'merged', comment => 'refuse: no comment');
	is_deeply [$merged->{error}{code}, $merged->{messages} // []], ['refused', []], 'a comment that is refused stops the rest';
	# The first copy's time is up, and so is the request's.
	$hook->hold('/ask');
	my $held = asked('held');
	my $http = client('ann')->connect;
	$http->send_request(POST => '/messages/forward', json => {message_ids => [$m[0]{id}, $m[2]{id}], to => [{user_id => 'cat'}]});
	wait_asked($held + 1, 'held');
	$allowing->clock(31);
	my ($late) = @{$http->response->json->{results}};
	is_deeply [$late->{error}{code}, scalar(asked('held')) - $held], ['unavailable', 1], 'after half a minute no further copy is begun';
	$hook->release;
	$hook->answer('by content', '/ask');
	be_well(0);
};

subtest 'edits' => sub {
	my $m = said(ann => ben => 'before')->json;
	my $edit = sub { my ($content, %o) = @_; return client('ann')->put("/messages/$m->{id}", {content => $content, %o}) };
	is $edit->('after')->json->{content}, 'after', 'allowed';
	my $q = (asked())[-1];
	is_deeply [$q->{edit}, @{$q->{message}}{qw(id content created_at)}], [JSON::PP::true, $m->{id}, 'after', $m->{created_at}], 'it is said to be one, of that message, with its new text';
	refused 'refused', $edit->('refuse: that'), 403, 'refused', qr/\Athat\z/;
	is one($m->{id})->{content}, 'after', 'nothing has changed';
	is_deeply [@{$edit->('replace: xreplaced', entities => [{type => 'bold', offset => 0, length => 2}])->json}{qw(content entities)}], ['xreplaced', undef], 'replaced, without what does not fit';
	my $ws = $t->ws('ann');
	is $ws->request(type => 'edit', message_id => $m->{id}, content => 'refuse: here, too')->{code}, 'refused', 'by a frame';
	my $before = asked();
	refused 'what is not his', client('ben')->put("/messages/$m->{id}", {content => 'mine'}), 403, 'not_sender';
	refused 'what is not there', client('cat')->put("/messages/$m->{id}", {content => 'mine'}), 404, 'not_found';
	is scalar(asked()), $before, 'is not asked about';
	my @refs = map { $ws->start(type => 'edit', message_id => $m->{id}, content => "edit $_") } 1 .. 20;
	is $ws->answer($_)->{message}{id}, $m->{id}, 'one of many' for @refs;
	is one($m->{id})->{content}, 'edit 20', 'the last one counts';
	$ws->close;
};

subtest 'in the order in which they were sent' => sub {
	my $ws = $t->ws('ann');
	my $wb = $t->ws('ben');
	$hook->hold('/ask');
	my $before = asked('held');
	my @sent = map { $_ % 5 == 3 ? "refuse: $_" : $_ % 5 == 1 ? "replace: $_" : "$_" } 1 .. 20;
	my @refs = map { $ws->start(type => 'send', %{text_to('ben', $_)}) } @sent;
	wait_asked($before + 20, 'held');
	$hook->release;
	my @answers = map { $ws->answer($_) } @refs;
	is_deeply [map { $_->{type} eq 'ack' ? $_->{message}{content} : $_->{detail} } @answers], [1 .. 20], 'each is answered what was decided about it';
	my @seqs = map { $_->{message}{seq} } grep { $_->{type} eq 'ack' } @answers;
	is_deeply \@seqs, [$seqs[0] .. $seqs[0] + 15], 'they are stored in order';
	is_deeply [map { $wb->expect('message')->{message}{seq} } @seqs], \@seqs, 'and told so';
	# One that is slow holds up those of its session behind it, and nobody else.
	$hook->hold('/ask');
	$before = asked('held');
	my $slow = $ws->start(type => 'send', %{text_to('ben', 'slow')});
	wait_asked($before + 1, 'held');
	$hook->answer('by content', '/ask');
	my $quick = $ws->start(type => 'send', %{text_to('ben', 'quick')});
	is said(cat => ann => 'another')->status, 201, 'others go on';
	is $ws->request(type => 'ping')->{type}, 'pong', 'and so does the session';
	is_deeply [map { $_->{ref} } $ws->queued('ack')], [], 'but what it sent waits';
	$hook->release;
	my ($first, $second) = map { $ws->answer($_)->{message}{seq} } $slow, $quick;
	is $second, $first + 1, 'and comes after';
	$_->close for $ws, $wb;
};

subtest 'what cannot be used' => sub {
	be_well($_) for 0, 1;
	for my $how ('500', '302', '404', 'elsewhere', 'close', 'garbage', 'endless', '204', '200 []', '200 {"action":"ok"}', '200 {"action":"replace"}', '200 {"action":"replace","content":""}',
		'200 {"action":"replace","content":"a\u0000"}', '200 {"action":"replace","content":"' . 'x' x 16385 . '"}', '200 {"action":"refuse","detail":7}', '200 {"action":"allow"', '500 {"action":"refuse"}') {
		$hook->answer($how, '/ask');
		$n++;
		my $name = substr $how, 0, 40;
		my $r = said(ann => ben => "failed $n");
		is_deeply [$r->status, $r->json->{content}], [201, "failed $n"], "$name: stored where that is allowed";
		refused "$name: refused where not", said(ann => ben => "failed $n", node => 1), 503, 'unavailable';
		is stored("failed $n"), 1, 'and stored once';
		$hook->answer('by content', '/ask');
		is said(ann => ben => 'in between', node => $_)->status, 201, 'then it is asked again' for 0, 1;
	}
	is scalar $hook->requests('/other'), 0, 'redirects are not followed';
	cmp_ok count_of($allowing, 'failed'), '>=', 17, 'failures are counted';
	ok wait_for('the log', sub { $allowing->log_text =~ /before_send: status 500/ }), 'and logged';
};

subtest 'no answer in time' => sub {
	$_->configure({%{$_->{conf}}, relay => asking(timeout_ms => 50, on_failure => $_ == $allowing ? 'allow' : 'refuse')})->reload for $t->nodes;
	$hook->answer('hang', '/ask');
	is said(ann => ben => 'allowed late')->status, 201, 'stored where that is allowed';
	refused 'refused where not', said(ann => ben => 'refused late', node => 1), 503, 'unavailable';
	my $ws = $t->ws('ann', node => 1);
	is $ws->request(type => 'send', %{text_to('ben', 'refused late')})->{code}, 'unavailable', 'by a WebSocket, too';
	is stored('refused late'), 0, 'and not stored';
	my ($forwarded) = @{client('ann', 1)->post('/messages/forward', {message_ids => [said(ann => ben => 'to be forwarded')->json->{id}], to => [{user_id => 'cat'}]})->json->{results}};
	is $forwarded->{error}{code}, 'unavailable', 'nor is a copy';
	$ws->close;
	$hook->answer('by content', '/ask');
	$_->configure({%{$_->{conf}}, relay => asking(on_failure => $_ == $allowing ? 'allow' : 'refuse')})->reload for $t->nodes;
};

subtest 'one that is down is asked once a second' => sub {
	be_well($_) for 0, 1;
	$hook->answer('500', '/ask');
	said(ann => ben => "down $_", node => 1) for 1 .. 5;
	ok wait_for('the log', sub { $refusing->log_text =~ /before_send: fails again and again/ }), 'it is logged';
	my ($before, $unasked) = (scalar asked(), count_of($refusing, 'unasked'));
	my $asks = 0;
	# A second may pass meanwhile, on a slow machine also two.
	for (1 .. 30) { refused 'at once', said(ann => ben => 'down', node => 1), 503, 'unavailable'; }
	$asks = asked() - $before;
	cmp_ok $asks, '<', 30, "of 30 it was asked about $asks";
	is count_of($refusing, 'unasked') - $unasked, 30 - $asks, 'the others are counted';
	$refusing->clock(2);
	refused 'after a second', said(ann => ben => 'down', node => 1), 503, 'unavailable';
	is scalar(asked()), $before + $asks + 1, 'it is asked once';
	$hook->answer('by content', '/ask');
	$refusing->clock(2);
	is said(ann => ben => 'up again', node => 1)->status, 201, 'until it answers';
	$before = asked();
	is said(ann => ben => "up $_", node => 1)->status, 201, 'then about each' for 1 .. 3;
	is scalar(asked()), $before + 3, 'it is asked';
	ok wait_for('the log', sub { $refusing->log_text =~ /before_send: answers again/ }), 'which is logged';
	$hook->kill;
	refused 'where nobody is there', said(ann => ben => 'gone', node => 1), 503, 'unavailable';
	is said(ann => ben => 'gone')->status, 201, 'or it is allowed';
	$hook->start;
	be_well($_) for 0, 1;
};

# One that takes connections, but reads nothing.
subtest 'not more than so many at a time' => sub {
	my $deaf = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128) or die "listen: $!";
	$allowing->configure({%{$allowing->{conf}}, relay => asking(url => 'http://127.0.0.1:' . $deaf->sockport . '/')})->reload;
	my @many = map { "many$_" } 1 .. 10;
	$t->befriend('ben', $_) for @many;
	my @ws = map { $t->ws($_) } @many;
	my $count = sub { return metric($allowing, 'tidings_before_send_asked_total'), metric($allowing, 'tidings_before_send_seconds_count'), count_of($allowing, 'unasked') };
	my @before = $count->();
	my @refs = map { my $ws = $_; [map { $ws->start(type => 'send', %{text_to('ben', "many $_")}) } 1 .. 30] } @ws;
	my ($asked, $answered, $unasked);
	wait_for('all to be asked about, or not', sub { my @now = $count->(); ($asked, $answered, $unasked) = map { $now[$_] - $before[$_] } 0 .. 2; $asked + $unasked == 300 });
	# On a machine that is slow the time of the first ones is up already.
	cmp_ok $asked - $answered, '<=', 256, 'not more are asked about';
	is $unasked, 300 - 256, 'the others are not' if $answered == 0;
	close $deaf;
	for my $i (0 .. $#ws) {
		my @seqs = map { $ws[$i]->answer($_)->{message}{seq} } @{$refs[$i]};
		is_deeply \@seqs, [sort { $a <=> $b } @seqs], 'each session has its order';
		$ws[$i]->close;
	}
	$allowing->configure({%{$allowing->{conf}}, relay => asking()})->reload;
};

subtest 'one who sends a lot' => sub {
	be_well($_) for 0, 1;
	$hook->hold('/ask');
	my ($held, $before) = (scalar asked('held'), metric($allowing, 'tidings_before_send_asked_total'));
	my $ws = $t->ws('ann');
	my @refs = map { $ws->start(type => 'send', %{text_to('ben', "a lot $_")}) } 1 .. 80;
	wait_asked($held + 32, 'held');
	my $other = $t->ws('cat');
	my $ref = $other->start(type => 'send', %{text_to('ann', 'beside a lot')});
	wait_asked($held + 33, 'held');
	is metric($allowing, 'tidings_before_send_asked_total') - $before, 33, 'is asked about up to 32 at a time, beside others';
	$hook->answer('by content', '/ask');
	$hook->release;
	is $other->answer($ref)->{type}, 'ack', 'the other one is answered';
	my @seqs = map { $ws->answer($_)->{message}{seq} } @refs;
	is_deeply \@seqs, [$seqs[0] .. $seqs[0] + 79], 'and all of the one, in order';
	is metric($allowing, 'tidings_before_send_asked_total') - $before, 81, 'once each';
	$_->close for $ws, $other;
};

# Five pictures without a text to replace, say.
subtest 'answers that fit one message alone' => sub {
	be_well($_) for 0, 1;
	$hook->answer('200 {"action":"replace","content":""}', '/ask');
	my $before = asked();
	refused 'what they cannot be used for', said(ann => ben => "unfit $_", node => 1), 503, 'unavailable' for 1 .. 8;
	is scalar(asked()), $before + 8, 'do not make the server one that is down: it is asked about each';
	$hook->answer('by content', '/ask');
};

subtest 'who is gone before the answer' => sub {
	$hook->hold('/ask');
	my $held = asked('held');
	my $http = client('ann')->connect;
	my $ws = $t->ws('ann');
	$http->send_request(POST => '/messages/send', json => text_to('ben', 'replace: of one who left'));
	$ws->start(type => 'send', %{text_to('ben', "gone $_")}) for 1 .. 3;
	wait_asked($held + 4, 'held');
	$http->close;
	$ws->abort;
	$hook->release;
	wait_for('all to be stored', sub { stored('of one who left') == 1 && stored('gone 3') == 1 });
	is_deeply [map { stored("gone $_") } 1 .. 3], [1, 1, 1], 'as what a client asked for before it left';
	wait_for('the session to be forgotten', sub { $allowing->ctl_ok('--json', 'status')->{sessions} == 0 });
	$hook->answer('by content', '/ask');
};

subtest 'a worker is killed while it asks' => sub {
	$hook->hold('/ask');
	my $held = asked('held');
	$allowing->allow_deaths(1);
	my $http = client('ann')->connect;
	my @body = (POST => '/messages/send', json => text_to('ben', 'replace: of the dead', client_msg_id => 'killed'));
	$http->send_request(@body);
	wait_asked($held + 1, 'held');
	kill KILL => $allowing->worker_pids;
	is $http->response, undef, 'nobody answers';
	$hook->release;
	$hook->answer('by content', '/ask');
	my $r = wait_for('its successor', sub { eval { my $r = client('ann')->request(@body); $r->status < 500 && $r } });
	is_deeply [$r->status, $r->json->{content}], [201, 'of the dead'], 'it was not stored, and the repeat is';
	is client('ann')->request(@body)->status, 200, 'once';
	is stored('of the dead'), 1, 'only';
};

subtest 'a reload while it is asked' => sub {
	$hook->hold('/ask');
	my $held = asked('held');
	my $http = client('ann')->connect;
	$http->send_request(POST => '/messages/send', json => text_to('ben', 'replace: by the one before'));
	wait_asked($held + 1, 'held');
	my $conf = {%{$allowing->{conf}}, drain_timeout => 60};
	$allowing->configure({%$conf, relay => undef})->reload;
	my $before = asked();
	is said(ann => ben => 'refuse: nobody')->status, 201, 'new workers ask nobody';
	is scalar(asked()), $before, 'at all';
	$hook->release;
	is $http->response->json->{content}, 'by the one before', 'what was asked about is decided';
	$hook->answer('by content', '/ask');
	$allowing->configure({%$conf, relay => asking(url => $hook->url('/another'))})->reload;
	$hook->answer('200 {"action":"refuse"}', '/another');
	refused 'another server', said(ann => ben => 'x'), 403, 'refused';
	is scalar $hook->requests('/another'), 1, 'is asked';
	$allowing->configure({%$conf, drain_timeout => 1, relay => asking()})->reload;
};

subtest 'a server that ends while it asks' => sub {
	$hook->hold('/ask');
	my $held = asked('held');
	my @http = map { client('ann')->connect } 1 .. 3;
	my $ws = $t->ws('ann');
	my $id = '' . $dbh->selectrow_array("SELECT id FROM messages WHERE content = 'slow'");
	$http[0]->send_request(POST => '/messages/send', json => text_to('ben', 'the end'));
	$http[1]->send_request(POST => '/messages/forward', json => {message_ids => [$id], to => [{user_id => 'cat'}, {user_id => 'ben'}]});
	$http[2]->send_request(PUT => "/messages/$id", json => {content => 'the end'});
	$ws->start(type => 'send', %{text_to('ben', 'the end')}) for 1 .. 3;
	wait_asked($held + 7, 'held');
	ok $allowing->stop, 'ends in time, with nothing left';
	is stored('the end'), 0, 'and nothing stored';
	$hook->release;
	$hook->answer('by content', '/ask');
	$allowing->start;
	be_well(0);
};

# An edit is looked up first; what was sent after it is decided by then, and waits for it.
subtest 'a server that ends while a message is looked up' => sub {
	my $m = said(ann => ben => 'to be edited')->json;
	my $ws = $t->ws('ann');
	my $lock = $t->stack->dbh($t->{database});
	$lock->do('LOCK TABLES messages WRITE');
	my $answered = sub { metric($allowing, 'tidings_before_send_seconds_count') };
	my $before = $answered->();
	$ws->start(type => 'edit', message_id => $m->{id}, content => 'too late');
	$ws->start(type => 'send', %{text_to('ben', 'too late')});
	wait_for('an answer', sub { $answered->() > $before });
	ok $allowing->stop(signal => 'QUIT'), 'ends with nothing left';
	$lock->do('UNLOCK TABLES');
	$lock->disconnect;
	is stored('too late'), 0, 'and nothing stored';
	$allowing->start;
	be_well(0);
};

subtest 'the metrics' => sub {
	cmp_ok metric($_, 'tidings_before_send_seconds_count'), '>', 0, 'how long answers took' for $t->nodes;
	cmp_ok count_of($refusing, 'failed'), '>=', 17, 'what failed';
};

# Those who are to write such a server begin with these.
subtest 'the examples' => sub {
	my $top = Tidings::top();
	my ($request) = $hook->requests('/ask', 'by content');
	for (['node', 'before_send.js'], ['python3', 'before_send.py']) {
		my ($program, $file) = @$_;
		my ($port, $out) = (free_port(), Tidings::dir() . "/$file.out");
		my $pid = spawn(log => $out, cmd => [$program, "$top/contrib/examples/$file", $port, $hook->secret_file]);
		my $post = sub {
			my ($body, $signature) = @_;
			my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or return 0;
			print $s "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n" . (defined $signature ? "Tidings-Signature: $signature\r\n" : '') . "\r\n$body";
			return (<$s> // '') =~ m{\AHTTP/1\.1 (\d+)} ? $1 : 0;
		};
		my $signature = sub { my ($t, $secret) = @_; return "t=$t,v1=" . hmac_sha256_hex("$t.$request->{body}", $secret) };
		wait_for("$file to listen", sub { $post->($request->{body}) });
		is $post->($request->{body}, $signature->(time, $SECRET)), 200, "$file answers";
		is $post->($request->{body}), 401, 'but nothing that is not signed';
		is $post->($request->{body}, $signature->(time, 'another secret')), 401, 'or by another';
		is $post->("$request->{body} ", $signature->(time, $SECRET)), 401, 'or of which something was changed';
		is $post->($request->{body}, $signature->(time - 1000, $SECRET)), 401, 'or that is old';
		$allowing->configure({%{$allowing->{conf}}, relay => asking(url => "http://127.0.0.1:$port/")})->reload;
		is said(ann => ben => 'plain')->json->{content}, 'plain', 'asked by the server, it allows';
		is said(ann => ben => 'my Secret')->json->{content}, 'my ******', 'replaces';
		refused 'and refuses', said(ann => ben => 'see https://example.com/'), 403, 'refused', qr/example\.com/;
		signal_and_reap($pid, 'KILL');
	}
};

done_testing;
