# SPDX-License-Identifier: BSD-2-Clause
# Proves stickers (contract, section 8): packs come whole or not at all from a folder, and from nothing outside it; users
# list and install them; a message has the picture that the pack had when it was sent, for good; a repeat of a send is the
# same message whatever became of the pack; and pictures need no token, are kept by caches, and burden nobody else.
use Tidings;
use Tidings::Pack qw(png write_pack %PICTURE);
use Tidings::Shape;
use Tidings::Util qw(spew slurp);
use JSON::PP ();

my $t = Tidings->start(workers => 2, nodes => 2);
my $node = $t->node;
$t->befriend(qw(alice bob carol));
my ($alice, $bob, $anyone) = ($t->api('alice'), $t->api('bob'), $t->http(undef));
my $dir = Tidings::dir();
my ($happy, $sad, $grin, $wave) = map { chr } 0x1f600, 0x1f622, 0x1f601, 0x1f44b;

sub sticker { my ($to, $pack, $id, %more) = @_; return {to_user_id => $to, message_type => 'sticker', extra => {pack => $pack, sticker => $id}, %more} }
sub sent {
	my ($r, $status) = @_;
	is $r->status, $status // 201, 'sent' or diag($r->body);
	return $r->json;
}
sub picture { my ($url, %o) = @_; return $anyone->get($url, %o) }

my %moods = (id => 'moods', title => 'Moods', files => {'happy.png' => png(0xffcc00), 'sad.png' => png(0x3366ff, width => 240, height => 200), 'more/wave.gif' => $PICTURE{gif}},
	stickers => [[happy => 'happy.png', $happy], [sad => 'sad.png', $sad], ['wave.1' => 'more/wave.gif', $wave]]);
my $moods = write_pack("$dir/moods", %moods);
my $STICKER = {id => 'string', emoji => 'string', media_url => 'string', width => 'int', height => 'int'};
my $PACK = {id => 'string', title => 'string', stickers => [$STICKER], installed => 'bool', updated_at => 'time'};

subtest 'importing a pack' => sub {
	is_deeply $alice->get('/stickers/packs')->json, {items => [], next_cursor => undef}, 'at first there is none';
	is $node->ctl_ok('stickers', 'import', $moods), "moods has 3 stickers now\n", 'it says what it has done';
	is $node->ctl_ok('stickers', 'import', $moods), "moods was so already\n", 'and that nothing is left to do';
	is_deeply $node->ctl_ok('--json', 'stickers', 'import', $moods), {pack => 'moods', stickers => 3, changed => JSON::PP::false}, 'as JSON';
	my $r = $alice->get('/stickers/packs/moods');
	is $r->status, 200, 'there it is';
	is_shape $r->json, $PACK, 'a pack';
	is_deeply [map { [@$_{qw(id emoji width height)}] } @{$r->json->{stickers}}], [['happy', $happy, 4, 3], ['sad', $sad, 240, 200], ['wave.1', $wave, 1, 1]], 'in the order of its pack.json';
	is_deeply $t->http('bob', node => 1)->get('/stickers/packs/moods')->json, $r->json, 'on every node';
	is_deeply $alice->get('/stickers/packs')->json, {items => [$r->json], next_cursor => undef}, 'and in the list';
	my ($line) = grep { /^moods / } split /\n/, $node->ctl_ok('stickers', 'list');
	like $line, qr/^moods\s+3\s+\S+Z\s+Moods$/, 'tidingsctl stickers list';
	is_deeply $node->ctl_ok('--json', 'stickers', 'list'), [{pack => 'moods', title => 'Moods', stickers => 3, updated_at => $r->json->{updated_at}}], 'as JSON';
};

subtest 'paths' => sub {
	refused('none', $alice->get('/stickers/packs/nothing'), 404, 'not_found');
	refused('none that could be', $alice->get("/stickers/packs/$_"), 404, 'not_found') for '.hidden', 'a%20b', 'x' x 65, 'a%2fb';
	refused('another method', $alice->post('/stickers/packs', {}), 405, 'method_not_allowed');
	refused('of the pack', $alice->get('/stickers/packs/moods/installed'), 405, 'method_not_allowed');
	refused('without a token', $anyone->get($_), 401, 'token_invalid') for qw(/stickers/packs /stickers/packs/moods /stickers/installed);
	refused('a limit', $alice->get("/stickers/$_"), 400, 'invalid_argument', qr/^limit/) for qw(packs?limit=0 installed?limit=101);
	refused('a cursor', $alice->get("/stickers/$_"), 400, 'invalid_argument', qr/^cursor/) for qw(packs?cursor=.x installed?cursor=x installed?cursor=5- installed?cursor=0-x installed?cursor=999999999999999-x);
};

subtest 'pictures' => sub {
	my ($url, undef, $gif) = map { $_->{media_url} } @{$alice->get('/stickers/packs/moods')->json->{stickers}};
	like $url, qr{^/stickers/pictures/moods/[0-9a-f]{32}\.png\z}, 'a path that is made of the content';
	my $r = picture($url);
	is $r->status, 200, 'without a token';
	ok $r->body eq $moods{files}{'happy.png'}, 'byte for byte';
	is $r->header('content-type'), 'image/png', 'its type';
	is $r->header('cache-control'), 'public, max-age=31536000, immutable', 'it may be kept for good';
	is $r->header('x-content-type-options'), 'nosniff', 'and is what it says';
	is picture($gif)->header('content-type'), 'image/gif', 'a GIF';
	ok $t->http(undef, node => 1)->get($url)->body eq $r->body, 'on every node';
	my $etag = $r->header('etag');
	for (["If-None-Match: $etag", 304], ["If-None-Match: \"x\", W/$etag", 304], ['If-None-Match: "x"', 200]) {
		my ($header, $status) = @$_;
		my $again = picture($url, headers => [split /: /, $header]);
		is $again->status, $status, $header;
		is length $again->body, $status == 304 ? 0 : length $r->body, 'as much';
		is $again->header('etag'), $etag, 'the tag stays';
	}
	my $head = $anyone->request('HEAD', $url);
	is_deeply [$head->status, $head->header('content-length'), $head->body], [200, length $r->body, ''], 'HEAD';
	refused('another method', $anyone->put($url), 405, 'method_not_allowed');
	my ($name) = $url =~ m{([^/]+)\z};
	refused($_, picture("/stickers/pictures/$_"), 404, 'not_found') for "other/$name", 'moods/' . ('0' x 32) . '.png', "moods/\U$name", 'moods/' . ($name =~ s/png/gif/r), 'moods/x.png', '..%2fx/' . $name;
};

subtest 'sending one' => sub {
	my ($wa, $wb) = ($t->ws('alice', name => 'another'), $t->ws('bob'));
	my $pack = $alice->get('/stickers/packs/moods')->json;
	my $m = sent($alice->post('/messages/send', sticker('bob', 'moods', 'sad', client_msg_id => 's1')));
	is_shape $m, $MESSAGE, 'a message';
	is_deeply [@$m{qw(message_type content media_url extra)}], ['sticker', undef, $pack->{stickers}[1]{media_url}, {pack => 'moods', sticker => 'sad', emoji => $sad}], 'what it is';
	is_deeply $_->expect('message')->{message}, $m, 'and what all are told' for $wa, $wb;
	ok picture($m->{media_url})->body eq $moods{files}{'sad.png'}, 'its picture';
	is_deeply $bob->get("/messages/conversations/$m->{conversation_id}/messages")->json->{items}, [$m], 'as it stands in the history';
	is_deeply $bob->post('/messages/sync', {conversations => [{id => $m->{conversation_id}, seq => 0, change_seq => 0}], since => undef})->json->{conversations}[0]{messages}, [$m], 'and when catching up';
	is_deeply sent($alice->post('/messages/send', sticker('bob', 'moods', 'sad', client_msg_id => 's1')), 200), $m, 'a repeat';
	refused('another one under the same key', $alice->post('/messages/send', sticker('bob', 'moods', 'happy', client_msg_id => 's1')), 409, 'client_msg_id_reused');
	my $reply = $wb->request(type => 'send', conversation_id => $m->{conversation_id}, reply_to => $m->{id}, message_type => 'sticker', media_url => 'https://x.example/other.png',
		content => 'look', extra => {pack => 'moods', sticker => 'happy', emoji => 'X', more => 1});
	is $reply->{type}, 'ack', 'by WebSocket, to the conversation' or diag(explain($reply));
	is_deeply [@{$reply->{message}}{qw(content media_url extra reply_to)}], ['look', $pack->{stickers}[0]{media_url}, {pack => 'moods', sticker => 'happy', emoji => $happy}, $m->{id}],
		'what the pack says counts, not the client';
	is $bob->put("/messages/$reply->{message}{id}", {content => 'see'})->json->{media_url}, $reply->{message}{media_url}, 'its caption can be edited';
	my $recalled = $alice->put("/messages/$m->{id}/recall")->json;
	is_deeply [@$recalled{qw(message_type media_url extra)}], ['sticker', undef, undef], 'recalled';
	is_deeply sent($alice->post('/messages/send', sticker('bob', 'moods', 'happy', client_msg_id => 's1')), 200), $recalled, 'then a repeat is one whatever it says';
	my $group = $t->group('alice', ['bob']);
	my $in_group = sent($alice->post('/messages/send', {conversation_id => $group, message_type => 'sticker', extra => {pack => 'moods', sticker => 'wave.1'}, client_msg_id => 'g1'}));
	is_deeply [@$in_group{qw(to_user_id media_url extra)}], [undef, $pack->{stickers}[2]{media_url}, {pack => 'moods', sticker => 'wave.1', emoji => $wave}], 'to a group';
	is_deeply sent($alice->post('/messages/send', {conversation_id => $group, message_type => 'sticker', extra => {pack => 'moods', sticker => 'wave.1'}, client_msg_id => 'g1'}), 200), $in_group, 'again';
	$_->abort for $wa, $wb;
};

subtest 'what is refused' => sub {
	my $extra = sub { my ($extra) = @_; return $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'sticker', extra => $extra}) };
	refused('a pack that is not there', $extra->({pack => 'none', sticker => 'sad'}), 400, 'invalid_argument', qr/^extra.*\bsad\b.*\bnone\b/);
	refused('a sticker that is not in it', $extra->({pack => 'moods', sticker => 'mad'}), 400, 'invalid_argument', qr/^extra.*\bmad\b.*\bmoods\b/);
	refused('no extra', $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'sticker'}), 400, 'invalid_argument', qr/^extra: /);
	refused('none that is one', $extra->($_), 400, 'invalid_argument', qr/^extra: /) for 'moods', ['moods'];
	refused('no pack', $extra->({sticker => 'sad'}), 400, 'invalid_argument', qr/^extra\.pack: is missing/);
	refused('no sticker', $extra->({pack => 'moods', sticker => undef}), 400, 'invalid_argument', qr/^extra\.sticker: is missing/);
	refused('no name', $extra->({pack => $_, sticker => 'sad'}), 400, 'invalid_argument', qr/^extra\.pack: must be/) for 7, '', '../moods', 'x' x 65, "a\0b", {};
	refused('a media_url that is no text', $alice->post('/messages/send', sticker('bob', 'moods', 'sad', media_url => 7)), 400, 'invalid_argument', qr/^media_url/);
	refused('the fields come before all else', $alice->post('/messages/send', sticker('stranger', 'moods', 'mad')), 400, 'invalid_argument');
	refused('then who it is for', $alice->post('/messages/send', sticker('stranger', 'moods', 'sad')), 403, 'not_friends');
	refused('or where', $alice->post('/messages/send', {conversation_id => "$_", message_type => 'sticker', extra => {pack => 'moods', sticker => 'sad'}}), 404, 'not_found') for 999, (1 << 34) + 999;
	my $ws = $t->ws('alice');
	my $e = $ws->request(type => 'send', %{sticker('bob', 'moods', 'mad')});
	is_deeply [@$e{qw(type code)}], [qw(error invalid_argument)], 'by WebSocket';
	$ws->abort;
};

subtest 'installing' => sub {
	write_pack("$dir/p$_", id => "p$_", files => {'a.png' => png($_)}, stickers => [[a => 'a.png', $grin]]) for 1 .. 4;
	$node->ctl_ok('stickers', 'import', "$dir/p$_") for 1 .. 4;
	is_deeply $alice->get('/stickers/installed')->json, {items => [], next_cursor => undef}, 'at first none is';
	for (qw(p2 p1 moods)) {
		is $alice->put("/stickers/packs/$_/installed")->status, 204, "installed $_";
		is $alice->put("/stickers/packs/$_/installed")->status, 204, 'and again';
		wait_for('another time', sub { $t->dbh->selectrow_array("SELECT UTC_TIMESTAMP(3) > MAX(installed_at) FROM sticker_installs") });
	}
	my $ids = sub { my ($http, $path) = @_; return [map { $_->{id} } @{$http->get($path)->json->{items}}] };
	is_deeply $ids->($alice, '/stickers/installed'), [qw(moods p1 p2)], 'the last one first';
	is_deeply $ids->($bob, '/stickers/installed'), [], 'of the other user none';
	is_deeply {map { $_->{id} => $_->{installed} ? 1 : 0 } @{$alice->get('/stickers/packs')->json->{items}}}, {moods => 1, p1 => 1, p2 => 1, p3 => 0, p4 => 0}, 'the list of all says which are';
	is_deeply $alice->get('/stickers/installed')->json->{items}[0], $alice->get('/stickers/packs/moods')->json, 'it has the whole pack';
	my (@all, $cursor);
	do {
		my $page = $alice->get('/stickers/installed?limit=1' . ($cursor ? "&cursor=$cursor" : ''))->json;
		push @all, map { $_->{id} } @{$page->{items}};
		$cursor = $page->{next_cursor};
	} while ($cursor);
	is_deeply \@all, [qw(moods p1 p2)], 'page by page';
	@all = ();
	do {
		my $page = $alice->get('/stickers/packs?limit=2' . ($cursor ? "&cursor=$cursor" : ''))->json;
		push @all, map { $_->{id} } @{$page->{items}};
		$cursor = $page->{next_cursor};
	} while ($cursor);
	is_deeply \@all, [qw(moods p1 p2 p3 p4)], 'and so the list of all';
	is $alice->delete('/stickers/packs/p1/installed')->status, 204, 'no longer' for 1 .. 2;
	is_deeply $ids->($alice, '/stickers/installed'), [qw(moods p2)], 'it is gone';
	is sent($alice->post('/messages/send', sticker('bob', 'p1', 'a')))->{extra}{pack}, 'p1', 'but can be sent, as any';
	refused('what is not there', $alice->put('/stickers/packs/nothing/installed'), 404, 'not_found');
	refused('likewise', $alice->delete('/stickers/packs/nothing/installed'), 404, 'not_found');
	$t->dbh->do("INSERT INTO sticker_packs SELECT CONCAT('many', seq), 'Many', 1, UTC_TIMESTAMP(3) FROM seq_1_to_99");
	$t->dbh->do("INSERT INTO sticker_installs SELECT 'bob', CONCAT('many', seq), UTC_TIMESTAMP(3) FROM seq_1_to_99");
	is $bob->put('/stickers/packs/p3/installed')->status, 204, 'the hundredth';
	refused('one more', $bob->put('/stickers/packs/p4/installed'), 409, 'conflict');
	is $bob->put('/stickers/packs/p3/installed')->status, 204, 'one that is there is no more';
	$node->ctl_ok('stickers', 'remove', 'many7');
	is scalar @{$ids->($bob, '/stickers/installed?limit=100')}, 99, 'one that the operator has removed is not listed';
	is $bob->put('/stickers/packs/p4/installed')->status, 204, 'and makes room';
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM sticker_installs WHERE user_id = 'bob'"), 100, 'its row goes with that';
	my @http = map { $t->http('carol', node => $_ % 2)->connect } 1 .. 8;
	$_->send_request('PUT', '/stickers/packs/moods/installed') for @http;
	is_deeply [map { $_->response->status } @http], [(204) x 8], 'eight at once on two nodes';
	is_deeply $ids->($t->api('carol'), '/stickers/installed'), ['moods'], 'are one';
	$t->dbh->do("DELETE FROM sticker_packs WHERE title = 'Many'");
};

subtest 'another version of the pack' => sub {
	my $old = sent($alice->post('/messages/send', sticker('bob', 'moods', 'happy', client_msg_id => 'v1')));
	my $gone = sent($alice->post('/messages/send', sticker('bob', 'moods', 'sad', client_msg_id => 'v2')));
	my $before = $alice->get('/stickers/packs/moods')->json;
	write_pack($moods, %moods, title => 'Moods 2', files => {'happy.png' => png(0x00ff00), 'new.webp' => $PICTURE{webp}, 'photo.jpg' => $PICTURE{jpg}},
		stickers => [[new => 'new.webp', $grin], [happy => 'happy.png', $wave], [photo => 'photo.jpg', $wave]]);
	is $node->ctl_ok('stickers', 'import', $moods), "moods has 3 stickers now\n", 'imported over the old one';
	my $pack = $alice->get('/stickers/packs/moods')->json;
	is_deeply [$pack->{title}, map { "$_->{id} $_->{emoji}" } @{$pack->{stickers}}], ['Moods 2', "new $grin", "happy $wave", "photo $wave"], 'what it is now';
	ok $pack->{updated_at} gt $before->{updated_at}, 'it says when';
	ok $pack->{installed}, 'it is installed still';
	is_deeply [map { picture($_->{media_url})->header('content-type') } @{$pack->{stickers}}], [qw(image/webp image/png image/jpeg)], 'with their types';
	my $new = sent($alice->post('/messages/send', sticker('bob', 'moods', 'happy')));
	isnt $new->{media_url}, $old->{media_url}, 'another picture has another path';
	is $new->{extra}{emoji}, $wave, 'and what it stands for is new, too';
	is_deeply $bob->get("/messages/$old->{id}")->json, $old, 'a message stays as it was';
	ok picture($old->{media_url})->body eq $moods{files}{'happy.png'}, 'and has its picture';
	refused('a sticker that the pack has no more', $alice->post('/messages/send', sticker('bob', 'moods', 'sad')), 400, 'invalid_argument', qr/^extra/);
	is_deeply sent($alice->post('/messages/send', sticker('bob', 'moods', 'sad', client_msg_id => 'v2')), 200), $gone, 'but the repeat of a send is answered';
	is_deeply sent($alice->post('/messages/send', {%{sticker('bob', 'moods', 'sad', client_msg_id => 'v2')}, to_user_id => undef, conversation_id => $gone->{conversation_id}}), 200), $gone, 'to the conversation, too';
	is_deeply sent($alice->post('/messages/send', sticker('bob', 'moods', 'happy', client_msg_id => 'v1')), 200), $old, 'and so is one of a sticker that has changed';
	refused('and another under its key is not', $alice->post('/messages/send', sticker('bob', 'moods', 'old', client_msg_id => 'v2')), 409, 'client_msg_id_reused');
	my $ws = $t->ws('alice');
	is_deeply $ws->request(type => 'send', %{sticker('bob', 'moods', 'sad', client_msg_id => 'v2')})->{message}, $gone, 'by WebSocket';
	$ws->abort;
	is $node->ctl_ok('stickers', 'remove', 'moods'), "moods is removed; messages keep its pictures\n", 'the pack is removed';
	is $alice->get('/stickers/packs/moods')->status, 404, 'it is gone';
	is_deeply [grep { $_->{id} eq 'moods' } map { @{$alice->get("/stickers/$_")->json->{items}} } qw(packs installed)], [], 'from the lists, too';
	is_deeply sent($alice->post('/messages/send', sticker('bob', 'moods', 'sad', client_msg_id => 'v2')), 200), $gone, 'a repeat is answered still';
	is picture($_->{media_url})->status, 200, 'and the pictures are there' for $old, $gone, $new;
	is +($node->ctl('stickers', 'remove', 'moods'))[0], 1, 'it cannot be removed twice';
	is $node->ctl_ok('stickers', 'import', $moods), "moods has 3 stickers now\n", 'but comes back';
	ok $alice->get('/stickers/packs/moods')->json->{installed}, 'where it was';
	is $node->ctl_ok('stickers', 'remove', 'moods', '--erase'), "moods is erased\n", 'erased';
	$node->clock(61);
	is picture($_->{media_url})->status, 404, 'a picture is gone, a minute later from memory, too' for $old, $new;
	is $t->dbh->selectrow_array("SELECT COUNT(*) FROM sticker_pictures WHERE pack_id = 'moods'"), 0, 'and out of the database';
	is_deeply $bob->get("/messages/$old->{id}")->json, $old, 'the message stays';
};

subtest 'what cannot be imported' => sub {
	my $n = 0;
	my @tables = qw(sticker_packs stickers sticker_pictures);
	my $rows = sub { return join ' ', map { $t->dbh->selectrow_array("SELECT COUNT(*) FROM $_") } @tables };
	my $before = $rows->();
	my $bad = sub {
		my ($name, $says, $spoil, %o) = @_;
		my $folder = write_pack("$dir/bad" . $n++, id => 'bad', files => {'a.png' => png(1), 'b.png' => png(2)}, stickers => [[a => 'a.png', $grin], [b => 'b.png', $grin]], %o);
		$spoil->($folder) if $spoil;
		my ($status, $out, $err) = $node->ctl('stickers', 'import', $folder);
		is_deeply [$status, $out], [1, ''], $name;
		like $err, qr/^tidingsctl: \Q$folder\E$says/, 'it says which file and why' or diag($err);
		return;
	};
	my $of = sub { my (@stickers) = @_; return (stickers => [[a => 'a.png', $grin], @stickers]) };
	$bad->('no pack.json', qr{/pack\.json: No such file}, sub { unlink "$_[0]/pack.json" });
	$bad->('no JSON', qr{/pack\.json: }, sub { spew("$_[0]/pack.json", '{"id":') });
	$bad->('no object', qr{/pack\.json: must be an object}, sub { spew("$_[0]/pack.json", '[]') });
	$bad->('no id', qr{/pack\.json: id: must be}, undef, more => {id => $_}) for '../up', '', 'x' x 65, 7, "a\0";
	$bad->('no title', qr{/pack\.json: title: must be}, undef, more => {title => $_}) for '', "\x{200b}", 'x' x 65, "a\nb", undef;
	$bad->('no stickers', qr{/pack\.json: stickers: must be}, undef, more => {stickers => $_}) for [], {}, [map { {id => "s$_", file => 'a.png', emoji => $grin} } 1 .. 201];
	$bad->('an id twice', qr{/pack\.json: stickers\[1\]\.id: another sticker has it}, undef, $of->([a => 'b.png', $grin]));
	$bad->('no id of a sticker', qr{/pack\.json: stickers\[1\]\.id: must be}, undef, $of->(['a/b' => 'b.png', $grin]));
	$bad->('no emoji', qr{/pack\.json: stickers\[1\]\.emoji: must be}, undef, $of->([b => 'b.png', $_])) for undef, '', 'a b', "\t", 'x' x 65;
	$bad->('no file', qr{/pack\.json: stickers\[1\]\.file: must be}, undef, $of->([b => undef, $grin]));
	$bad->('a file that is not there', qr{/c\.png: No such file}, undef, $of->([b => 'c.png', $grin]));
	spew("$dir/outside.png", png(3));
	$bad->("a way out: $_", qr{/\Q$_\E: must be a plain path below the folder}, undef, $of->([b => $_, $grin])) for '../outside.png', 'x/../../outside.png', "$dir/outside.png", './a.png', '.hidden', 'a//b.png', '';
	$bad->('a link', qr{/link\.png: links are not followed}, sub { symlink "$dir/outside.png", "$_[0]/link.png" }, $of->([b => 'link.png', $grin]));
	$bad->('a folder that is a link', qr{/up/outside\.png: links are not followed}, sub { symlink $dir, "$_[0]/up" }, $of->([b => 'up/outside.png', $grin]));
	$bad->('a folder', qr{/sub: is no regular file}, sub { mkdir "$_[0]/sub" }, $of->([b => 'sub', $grin]));
	$bad->('an SVG', qr{/b\.png: is no PNG, GIF, JPEG or WebP}, sub { spew("$_[0]/b.png", '<svg xmlns="http://www.w3.org/2000/svg"/>') });
	$bad->('a picture without an end of its head', qr{/b\.png: is no PNG}, sub { spew("$_[0]/b.png", substr png(1), 0, 20) });
	$bad->('an empty file', qr{/b\.png: is no PNG}, sub { spew("$_[0]/b.png", '') });
	$bad->('too many bytes', qr{/b\.png: is over 524288 bytes}, sub { spew("$_[0]/b.png", png(1, bytes => 524289)) });
	$bad->('too many pixels', qr{/b\.png: is over 1024 by 1024 pixels}, sub { spew("$_[0]/b.png", png(1, width => 1025)) });
	is $rows->(), $before, 'nothing of all that was written';
	my $largest = write_pack("$dir/largest", id => 'largest', files => {'a.png' => png(1, width => 1024, height => 1024), 'b.png' => png(2, bytes => 524288)},
		stickers => [map { ["s$_", $_ % 2 ? 'a.png' : 'b.png', 'x' x 64] } 1 .. 200], title => 'x' x 64);
	is $node->ctl_ok('stickers', 'import', $largest), "largest has 200 stickers now\n", 'up to the limits it can';
	my $pack = $alice->get('/stickers/packs/largest')->json;
	is scalar @{$pack->{stickers}}, 200, 'and is all there';
	ok picture($pack->{stickers}[1]{media_url})->body eq png(2, bytes => 524288), 'with its pictures';
	is +($node->ctl('stickers', @$_))[0], 2, "a wrong command line: @$_" for [], ['import'], ['import', 'a', 'b'], ['list', 'x'], ['remove'], ['remove', 'x', '--all'], ['remove', '../x'], ['dance'];
	is +($node->ctl('stickers', 'import', "$dir/nowhere"))[0], 1, 'a folder that is not there';
};

subtest 'a long list ends early' => sub {
	$t->dbh->do("INSERT INTO sticker_packs SELECT CONCAT('z', LPAD(seq, 3, '0')), 'Z', 150, UTC_TIMESTAMP(3) FROM seq_1_to_30");
	$t->dbh->do("INSERT INTO stickers SELECT CONCAT('z', LPAD(p.seq, 3, '0')), s.seq, CONCAT('s', s.seq), 'x', CONCAT(REPEAT('0', 32), '.png'), 4, 3 FROM seq_1_to_30 p JOIN seq_1_to_150 s");
	my ($cursor, @pages) = ('y');
	while ($cursor) {
		my $page = $alice->get("/stickers/packs?limit=100&cursor=$cursor")->json;
		push @pages, $page->{items};
		$cursor = $page->{next_cursor};
	}
	is_deeply [map { scalar @$_ } @pages], [13, 13, 4], 'where it has as many stickers as a page may have';
	is_deeply [grep { @{$_->{stickers}} != 150 } map { @$_ } @pages], [], 'each pack is whole';
	$t->dbh->do("DELETE FROM $_") for "sticker_packs WHERE title = 'Z'", "stickers WHERE pack_id LIKE 'z%'";
};

subtest 'at the rate of sends, and pictures at that of an address' => sub {
	my $u = Tidings->start(workers => 1, conf => {trusted_proxies => [], limits => {sends_per_second => 1, burst => 3, requests_per_second => 1, requests_burst => 5}});
	$u->befriend(qw(alice bob));
	write_pack("$dir/few", id => 'few', files => {map { ("$_.png" => png($_)) } 1 .. 9}, stickers => [map { ["s$_", "$_.png", $grin] } 1 .. 9]);
	$u->node->ctl_ok('stickers', 'import', "$dir/few");
	my @urls = map { $_->{media_url} } @{$u->api('alice')->get('/stickers/packs/few')->json->{stickers}};
	my $first = $u->api('alice')->post('/messages/send', sticker('bob', 'few', 's1', client_msg_id => 'r1'))->json;
	my @answers = map { $u->api('alice')->post('/messages/send', sticker('bob', 'few', "none$_")) } 1 .. 6;
	is $answers[0]->status, 400, 'a sticker that is not there costs a send';
	refused('until there is none left', $answers[-1], 429, 'rate_limited');
	is_deeply $u->api('alice')->post('/messages/send', sticker('bob', 'few', 's1', client_msg_id => 'r1'))->json, $first, 'a repeat is answered all the same';
	refused('and nothing else', $u->api('alice')->post('/messages/send', sticker('bob', 'few', 's2', client_msg_id => 'r2')), 429, 'rate_limited');
	my $http = $u->http(undef);
	my @got = map { $http->get($_) } @urls;
	is $got[0]->status, 200, 'pictures';
	refused('those that have to be read are bounded', $got[-1], 429, 'rate_limited');
	ok $got[-1]->header('retry-after'), 'for a time';
	is $http->get($urls[0])->status, 200, 'but not those that are in memory' for 1 .. 20;
	$u->stop;
};

subtest 'few addresses cannot keep pictures from others' => sub {
	my $u = Tidings->start(workers => 1, conf => {trusted_proxies => []});
	write_pack("$dir/asked", id => 'asked', files => {'a.png' => png(8)}, stickers => [[a => 'a.png', $grin]]);
	$u->node->ctl_ok('stickers', 'import', "$dir/asked");
	my ($url) = map { $_->{media_url} } @{$u->api('alice')->get('/stickers/packs/asked')->json->{stickers}};
	my $holder = $u->stack->dbh($u->{database});
	$holder->do('LOCK TABLES sticker_pictures WRITE');
	my $ask = sub { my ($from, $path) = @_; my $http = $u->http(undef, from => $from)->connect; $http->send_request(GET => $path); return $http };
	my $none = sub { sprintf '/stickers/pictures/asked/%032x.png', shift };
	my %asked = map { my $from = $_; $from => [map { $ask->("127.0.0.$from", $none->(100 * $from + $_)) } 1 .. 40] } 2 .. 4;
	my $is_answered = sub { Tidings::HTTP::can_read($_[0]{socket}, 0) };
	wait_for('what is too much to be refused', sub { 72 == grep { $is_answered->($_) } map { @$_ } values %asked });
	my @refused = map { $_->response } grep { $is_answered->($_) } @{$asked{2}};
	is_deeply [map { [$_->status, $_->json->{code}, $_->header('retry-after')] } @refused], [([429, 'rate_limited', 1]) x 24], 'an address has a few read at a time, and may come again soon';
	my @others = map { $ask->("127.0.1.$_", $url) } 1 .. 20;
	$holder->do('UNLOCK TABLES');
	is_deeply [map { $_->response->status } @others], [(200) x 20], 'there is room for others';
	my %count;
	$count{$_->response->status}++ for map { @{$asked{$_}} } 3, 4;
	is_deeply \%count, {404 => 32, 429 => 48}, 'what was let in is read';
	is $ask->('127.0.0.2', $none->($_))->response->status, 404, 'then they have others read' for 1 .. 20;
	$u->stop;
};

subtest 'below a prefix, for pages of another origin' => sub {
	my $u = Tidings->start(workers => 1, conf => {http => {prefix => '/im', cors_origins => ['https://app.example']}});
	$u->befriend(qw(alice bob));
	write_pack("$dir/prefixed", id => 'prefixed', files => {'a.png' => png(7)}, stickers => [[a => 'a.png', $grin]]);
	$u->node->ctl_ok('stickers', 'import', "$dir/prefixed");
	my $m = $u->api('alice')->post('/messages/send', sticker('bob', 'prefixed', 'a', client_msg_id => 'p1'))->json;
	like $m->{media_url}, qr{^/im/stickers/pictures/prefixed/}, 'the path has it';
	is $u->api('alice')->get('/stickers/packs/prefixed')->json->{stickers}[0]{media_url}, $m->{media_url}, 'in the pack, too';
	my $r = $u->http(undef, prefix => '')->get($m->{media_url}, headers => [Origin => 'https://app.example']);
	is_deeply [$r->status, $r->body eq png(7) ? 1 : 0, $r->header('access-control-allow-origin')], [200, 1, 'https://app.example'], 'and works';
	my $node = $u->node;
	$node->stop;
	$node->configure({%{$node->{conf}}, http => {prefix => '/chat'}})->start;
	my $moved = $u->http('bob')->get("/messages/$m->{id}")->json;
	is $moved->{media_url}, $m->{media_url} =~ s{^/im}{/chat}r, 'it goes with the server when that moves';
	is $u->http('alice')->post('/messages/send', sticker('bob', 'prefixed', 'a', client_msg_id => 'p1'))->json->{id}, $m->{id}, 'and a repeat is one still';
	$u->stop;
};

$t->stop;
done_testing;
