# SPDX-License-Identifier: BSD-2-Clause
# Proves pictures, films and files on the chat page: chosen, dropped and pasted; what is shown before they are there; progress,
# cancelling and trying again; albums; over the whole page; files that are saved; URLs that have expired; what is on another
# host; all of a conversation.
use utf8;
use Tidings;
use Tidings::Util qw(run spew slurp);
use Tidings::Web;
use Compress::Zlib ();

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $dir = Tidings::dir();
mkdir "$dir/media" or die "$dir/media: $!\n";
my %conf = (media => {directory => "$dir/media", max_size => 8_000_000, url_lifetime => 600}, limits => {requests_per_second => 0});
my $web = Tidings::Web->start(conf => \%conf);
my $t = $web->t;
$t->befriend(qw(ann ben));
$t->api('ann')->post('/messages/conversations/create', {user_id => 'ben'});

# A PNG of that size: stripes, and noise where it has to be large.
sub picture {
	my ($name, $w, $h, %o) = @_;
	my $chunk = sub { my ($type, $data) = @_; return pack('N', length $data) . $type . $data . pack('N', Compress::Zlib::crc32($type . $data)) };
	my $row = sub { my ($y) = @_; return "\0" . join '', map { $o{noise} ? pack('C3', map { int rand 256 } 1 .. 3) : pack('C3', ($_ * 255 / $w) & 255, ($y * 255 / $h) & 255, $o{blue} // 128) } 0 .. $w - 1 };
	my $rows = $o{noise} ? join('', map { $row->($_) } 0 .. $h - 1) : join '', map { $row->($_) } 0 .. $h - 1;
	return spew("$dir/$name", "\x89PNG\r\n\x1a\n" . $chunk->('IHDR', pack('NNC5', $w, $h, 8, 2, 0, 0, 0)) . $chunk->('IDAT', Compress::Zlib::compress($rows, $o{noise} ? 0 : 6)) . $chunk->('IEND', ''));
}
my ($wide, $tall) = (picture('wide cat.png', 600, 300), picture('tall.png', 120, 480, blue => 250));
my @more = map { picture("p$_.png", 200 + 10 * $_, 200, blue => 40 * $_) } 1 .. 5;
my $text = spew("$dir/notes.txt", "one\ntwo\n" x 50);

my ($ann, $ben) = map { $web->enter($_) } qw(ann ben);
$ann->open_chat('ben');
$ben->open_chat('ann');
my $last = q{[...document.querySelectorAll('.message')].at(-1)};
my $attach = '.compose-row .icon-button';
sub choose_from { my ($page, $item, @paths) = @_; return $page->click($attach)->choose_files('[role=menuitem]', $item, @paths) }
sub wait_sent { my ($page) = @_; $page->wait_value("$last.querySelector('.ticks.sent, .ticks.read')"); return $page }
sub wait_picture { my ($page, $n) = @_; $page->wait_value("$last.querySelectorAll('.media-image img, .tile img').length === $n && [...$last.querySelectorAll('.media-image img, .tile img')].every((i) => i.complete && i.naturalWidth > 0)"); return $page }
sub last_message { return $t->api('ann')->get('/messages/conversations')->json->{items}[0]{last_message} }
sub wait_last_file { my ($name) = @_; return wait_for("$name to be sent", sub { my $m = last_message(); ($m->{extra}{file_name} // '') eq $name && $m }) }

subtest 'a picture, chosen' => sub {
	choose_from($ann, 'Photos and videos', $wide)->wait_text('.attach-dialog h2', 'Send a file');
	$ann->wait_value(q{document.querySelector('.chosen-files canvas')});
	ok $ann->value('document.activeElement.matches(".attach-dialog input[type=text]")'), 'a caption can be written at once';
	$ann->insert("**my** cat\n")->wait_gone('.attach-dialog');
	wait_sent($ann);
	wait_picture($_, 1) for $ann, $ben;
	my $m = last_message();
	is_deeply [@$m{qw(message_type content)}, @{$m->{extra}}{qw(file_name width height)}], ['image', 'my cat', 'wide cat.png', 600, 300], 'sent as what it is';
	is_deeply $m->{entities}, [{type => 'bold', offset => 0, length => 2}], 'its caption is formatted';
	is $ben->value("(({width, height}) => Math.round(width / height * 10) / 10)($last.querySelector('.media-image').getBoundingClientRect())"), 2, 'in its shape';
	is $ben->value("(() => {const b = $last.querySelector('.bubble').getBoundingClientRect(), i = $last.querySelector('.media-image').getBoundingClientRect(); return [i.left - b.left, b.right - i.right, i.top - b.top].map(Math.round)})()")->[$_], 0, 'edge to edge' for 0 .. 2;
	is $ben->value("$last.querySelector('.media-image img').alt"), 'my cat', 'its caption says what it is';
};

subtest 'room is kept for it' => sub {
	my $late = $web->enter('ben', before => q{
		const plain = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, 'src');
		Object.defineProperty(HTMLImageElement.prototype, 'src', {...plain, set(url) { window.held ??= []; /media/.test(url) ? held.push(() => plain.set.call(this, url)) : plain.set.call(this, url); }});
	});
	$late->open_chat('ann')->wait_value(q{document.querySelector('.media-image canvas')});
	my $box = q{JSON.stringify((({x, y, width, height}) => [x, y, width, height].map(Math.round))(document.querySelector('.media-image').getBoundingClientRect()))};
	my $before = $late->value($box);
	cmp_ok $late->value(q{(() => {const c = document.querySelector('.media-image canvas'); return new Set(c.getContext('2d').getImageData(0, 0, 32, 32).data.filter((v, i) => i % 4 === 0)).size})()}), '>', 5, 'a blurhash is drawn';
	$late->value('held.forEach((f) => f())');
	$late->wait_value(q{document.querySelector('.media-image img').naturalWidth > 0 && !document.querySelector('.media-image canvas')});
	is $late->value($box), $before, 'nothing moves when it comes';
	is_deeply [$late->own_faults], [], 'no fault';
	$late->close;
};

subtest 'several at once' => sub {
	choose_from($ann, 'Photos and videos', @more)->wait_text('.attach-dialog h2', 'Send 5 files');
	$ann->click('.chosen-files li:last-child button')->wait_text('.attach-dialog h2', 'Send 4 files');
	$ann->click('.attach-dialog .primary');
	wait_sent($ann);
	wait_picture($_, 4) for $ann, $ben;
	is $ben->value("$last.querySelectorAll('.album .tile').length"), 4, 'are one block';
	is $ben->value("$last.querySelector('.album').getAttribute('aria-label')"), '4 photos', 'which says what it is';
	my $items = $t->api('ann')->get('/messages/conversations/' . last_message()->{conversation_id} . '/messages?limit=4')->json->{items};
	is_deeply [map { $_->{extra}{file_name} } @$items], [map { "p$_.png" } 1 .. 4], 'in the order of choosing';
	is $ben->value("(() => {const a = $last.querySelector('.album').getBoundingClientRect(); return [...$last.querySelectorAll('.tile')].every((t) => {const r = t.getBoundingClientRect(); return r.left >= a.left - 1 && r.right <= a.right + 1 && r.width > 60 && r.height > 60})})()"), JSON::PP::true, 'each has its place';
	$ben->wait_value("$last.querySelector('.ticks') || document.querySelector('.chat[data-user=ann] .badge') === null");
	pass 'they count as read when they were seen';
	$t->api('ann')->put("/messages/$items->[1]{id}/recall");
	$ben->wait_value(q{[...document.querySelectorAll('.album')].map((a) => a.children.length).join() === '' && document.querySelectorAll('.message.recalled').length === 1 || document.querySelectorAll('.message.recalled').length === 1});
	pass 'one that is recalled is none of it';
	is $ben->value(q{[...document.querySelectorAll('.message')].length}), 4, 'those before and after it stay';
};

subtest 'over the page' => sub {
	$ben->click('.message:last-child .tile')->wait_value(q{document.querySelector('.lightbox .stage img')?.naturalWidth > 0});
	is $ben->value(q{document.querySelector('.lightbox-count').textContent}), '3 / 4', 'among all of the conversation';
	$ben->key('ArrowLeft')->wait_text('.lightbox-count', '2 / 4');
	$ben->key('ArrowLeft')->wait_text('.lightbox-title', 'my cat');
	$ben->wait_value(q{document.querySelector('.stage img').naturalWidth === 600});
	pass 'the picture itself, by keys';
	ok $ben->value(q{document.querySelector('.lightbox .before').hidden}), 'there is none before the first';
	is $ben->value(q{document.querySelector('.lightbox a[download]').download}), 'wide cat.png', 'it can be saved';
	$ben->click('.lightbox .after')->wait_text('.lightbox-count', '2 / 4');
	$ben->click('.lightbox [aria-haspopup=menu]')->wait_text('[role=menuitem]', 'Forward');
	$ben->key('Escape')->wait_gone('.menu')->key('Escape')->wait_gone('.lightbox');
	pass 'what can be done with it, and back';
};

subtest 'dropped, and pasted' => sub {
	my $file = q{async (name) => {const c = new OffscreenCanvas(90, 60); c.getContext('2d').fillRect(5, 5, 60, 30); return new File([await c.convertToBlob()], name, {type: 'image/png'})}};
	my $drag = sub { my ($what) = @_; return "(async () => {const d = new DataTransfer(); d.items.add(await ($file)('dropped.png')); document.querySelector('.timeline').dispatchEvent(new DragEvent('$what', {bubbles: true, cancelable: true, dataTransfer: d})); return 0})()" };
	$ann->value($drag->('dragenter'));
	ok $ann->value(q{document.querySelector('.drop-here').checkVisibility()}), 'it is told where to drop';
	$ann->value($drag->('drop'));
	$ann->wait_text('.chosen-files', 'dropped.png')->insert("\n");
	ok !$ann->value(q{document.querySelector('.drop-here').checkVisibility()}), 'and no longer';
	wait_sent($ann);
	wait_picture($ben, 1);
	$ann->value("(async () => {const d = new DataTransfer(); d.items.add(await ($file)('image.png')); document.querySelector('#compose').dispatchEvent(new ClipboardEvent('paste', {bubbles: true, cancelable: true, clipboardData: d})); return 0})()");
	$ann->wait_text('.chosen-files', 'image.png')->key('Escape')->wait_gone('.attach-dialog');
	pass 'a screenshot is asked about before it goes';
};

subtest 'files' => sub {
	choose_from($ann, 'Files', $text)->wait_text('.chosen-files', 'notes.txt')->insert("\n");
	wait_sent($ann);
	$ben->wait_text('.message:last-child .media-file', 'notes.txt');
	is_deeply $ben->value("[$last.querySelector('.file-icon').dataset.ending, $last.querySelector('.media-note').textContent, $last.querySelector('.media-file').download]"), ['TXT', '400 bytes', 'notes.txt'], 'with its kind, size and name';
	is $ben->value("fetch($last.querySelector('.media-file').href).then((r) => r.text())"), slurp($text), 'it is there';
};

subtest 'large photos' => sub {
	my $large = picture('large.png', 2600, 300, noise => 1);
	choose_from($ann, 'Photos and videos', $large)->wait_value(q{document.querySelector('.check').checkVisibility()});
	$ann->click('.attach-dialog .primary');
	my $m = wait_last_file('large.webp');
	is $m->{extra}{width}, 2560, 'are made smaller';
	cmp_ok $m->{extra}{size}, '<', (-s $large) / 2, 'much';
	choose_from($ann, 'Photos and videos', $large)->click('.check input')->click('.attach-dialog .primary');
	is wait_last_file('large.png')->{extra}{width}, 2600, 'unless the original is wanted';
	wait_sent($ann);
};

subtest 'a film' => sub {
	my $film = "$dir/film.webm";
	my ($status) = run($dir, 'sh', '-c', "ffmpeg -v error -f lavfi -i testsrc=size=320x180:rate=10:duration=2 -c:v libvpx -b:v 200k '$film' < /dev/null");
	plan skip_all => 'no ffmpeg' if $status;
	choose_from($ann, 'Photos and videos', $film)->wait_text('.chosen-files', 'film.webm')->insert("\n");
	$ann->wait_value("$last.querySelector('.ticks.sent, .ticks.read') && $last.querySelector('.media-video')");
	my $m = last_message();
	is_deeply [$m->{message_type}, @{$m->{extra}}{qw(width height)}, int $m->{extra}{duration}], ['video', 320, 180, 2], 'is one';
	$ben->wait_value("$last.querySelector('.media-video')?.poster.endsWith('&size=thumb')");
	is $ben->value("$last.querySelector('.media-video').style.aspectRatio"), '320 / 180', 'has its room';
	is $ben->value("fetch($last.querySelector('.media-video').poster).then((r) => r.headers.get('content-type'))"), 'image/webp', 'and a picture, before it is played';
	is $ben->value("$last.querySelector('.media-video').readyState"), 0, 'of which nothing is loaded until then';
	$ben->value("$last.querySelector('.media-video').play().then(() => 0)");
	$ben->wait_value("$last.querySelector('.media-video').currentTime > 0");
	pass 'it plays';
};

subtest 'on the way' => sub {
	my $big = spew("$dir/big.bin", join '', map { pack 'N', $_ * 2654435761 & 0xffffffff } 1 .. 1_500_000);
	my $count = $ann->count('.message');
	$ann->value(q{(() => {const plain = fetch; window.fetch = (url, o) => (o?.method === 'PATCH' && window.hold ? new Promise((_, no) => o.signal.addEventListener('abort', () => no(o.signal.reason))) : plain(url, o)); window.hold = true; return 0})()});
	choose_from($ann, 'Files', $big)->wait_text('.chosen-files', 'big.bin')->insert("\n");
	$ann->wait_text('.message:last-child .transfer', '/ 6');
	is $ann->value("$last.querySelector('[role=progressbar]').getAttribute('aria-label')"), '0 % sent', 'progress is told';
	$ann->click('.cancel-upload')->wait_count('.message', $count);
	pass 'cancelled';
	choose_from($ann, 'Files', $big)->wait_text('.chosen-files', 'big.bin')->insert("\n");
	$ann->wait_text('.message:last-child .transfer', '/ 6');
	$ann->value('window.hold = false, 0');
	$ann->click('.cancel-upload');
	choose_from($ann, 'Files', $big)->wait_text('.chosen-files', 'big.bin')->insert("\n");
	$ann->wait_value("$last.querySelector('.ticks.sent, .ticks.read') && $last.querySelector('.media-file')");
	is last_message()->{extra}{size}, 6_000_000, 'a large one, whole';
	my $huge = spew("$dir/huge.bin", 'x' x 8_000_001);
	choose_from($ann, 'Files', $huge)->wait_text('.chosen-files', 'huge.bin')->insert("\n");
	$ann->wait_text('.message:last-child .failure', 'too large');
	$ann->click('.failure .discard')->wait_gone('.failure');
	my $bad = spew("$dir/bad.png", substr slurp($wide), 0, 400);
	choose_from($ann, 'Photos and videos', $bad)->wait_text('.chosen-files', 'bad.png')->insert("\n");
	$ann->wait_text('.message:last-child .failure', 'cannot be read');
	$ann->value(q{(() => {const plain = fetch; window.fetch = (url, o) => (o?.method === 'POST' && /media/.test(url) ? plain(url, {...o, body: undefined, headers: {...o.headers, 'Upload-Length': '-1'}}) : plain(url, o)); window.undo = () => {window.fetch = plain}; return 0})()});
	choose_from($ann, 'Files', $text)->wait_text('.chosen-files', 'notes.txt')->insert("\n");
	$ann->wait_value("$last.querySelector('.failure .retry') && $last.querySelector('.file-name').textContent === 'notes.txt'");
	$ann->value('undo(), 0');
	$ann->click('.message:last-child .failure .retry');
	wait_last_file('notes.txt');
	pass 'tried again';
	$ann->click('.failure .discard')->wait_gone('.failure');
};

subtest 'in a group' => sub {
	my $group = $web->group('Walkers', 'ann', ['ben']);
	my ($sender, $reader) = map { $web->enter($_)->open_group($group) } qw(ann ben);
	$sender->value(q{(() => {const plain = fetch; let go; const gate = new Promise((r) => { go = r; }); window.fetch = async (url, o) => { if (/[/]media$/.test(new URL(url).pathname)) await gate; return plain(url, o); }; window.go = go; return 0})()});
	choose_from($sender, 'Photos and videos', @more)->wait_text('.attach-dialog h2', 'Send 5 files')->insert("the way up\n");
	$sender->wait_value("$last.querySelectorAll('.tile canvas').length === 5 && $last.querySelectorAll('.tile .transfer').length === 5");
	pass 'what was chosen is shown at once, and that it is on its way';
	$sender->click('.tile:nth-child(2) .cancel-upload')->wait_count('.tile', 4);
	$sender->type('#compose', "while they go up\n");
	$reader->wait_last('while they go up');
	pass 'a text does not wait for them';
	$sender->value('go(), 0');
	$reader->wait_value(q{document.querySelectorAll('.album .tile img').length === 4});
	is_deeply $reader->value(q{[...document.querySelectorAll('.message.other')].slice(-1).map((m) => [m.querySelector('.album') !== null, m.querySelector('.text').textContent])}), [[JSON::PP::true, 'the way up']], 'the others see one block, and its caption';
	$reader->choose('.message:last-child', 'Select')->wait_text('.selection-bar', '4 selected')->key('Escape');
	pass 'which is selected as a whole';
	$reader->click('.message:last-child .tile:nth-child(3)')->wait_text('.lightbox-count', '3 / 4');
	$reader->key('Escape')->wait_gone('.lightbox');
	is_deeply [map { $_->own_faults } $sender, $reader], [], 'no fault';
	$_->close for $sender, $reader;
};

subtest 'an address that has expired' => sub {
	my $r = $t->http('ann')->request('POST', '/media?name=old.png', headers => ['Content-Type', 'image/png'], body => slurp($tall));
	my $m = $t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'image', media_url => 'tidings:media/' . $r->json->{id}, extra => {width => 120, height => 480}})->json;
	wait_picture($ben, 1);
	my $stale = $web->enter('ben', before => q{
		const plain = JSON.parse;
		JSON.parse = (text, ...more) => plain(typeof text === 'string' && !window.good ? text.replace(/(\?e=)\d+(&s=)/g, '$1100$2') : text, ...more);
		const get = fetch;
		window.asked = [];
		window.fetch = (url, o) => { const path = new URL(url).pathname; if (/\/messages\/\d+$/.test(path)) { asked.push(path); window.good = true; } return get(url, o); };
	});
	$stale->open_chat('ann')->wait_value("$last.querySelector('.media-image img')?.naturalWidth > 0");
	is $stale->value("asked.filter((path) => path === '/messages/$m->{id}').length"), 1, 'is asked for anew, once';
	is_deeply [$stale->own_faults], [], 'no fault';
	$stale->close;
};

subtest 'what is elsewhere' => sub {
	my $port = $t->node->address =~ s/.*://r;
	my $other = "http://localhost:$port/icon.svg";
	$t->api('ann')->post('/messages/send', {to_user_id => 'ben', message_type => 'image', media_url => $other, extra => {width => 240, height => 240}});
	$ben->wait_text('.message:last-child .media-image', "Load from localhost:$port");
	is $ben->value("$last.querySelectorAll('img').length"), 0, 'is not loaded by itself';
	$ben->click('.message:last-child .media-image')->wait_value("$last.querySelector('.media-image img')?.naturalWidth > 0");
	is $ben->count('.lightbox'), 0, 'but when one says so';
	$ben->click('.message:last-child .media-image')->wait_value(q{document.querySelector('.lightbox img')?.naturalWidth > 0});
	$ben->key('Escape')->wait_gone('.lightbox');
};

subtest 'all of a conversation' => sub {
	my $conversation = last_message()->{conversation_id};
	my $total = grep { $_->{message_type} =~ /^(?:image|video)$/ && !$_->{is_recalled} } @{$t->api('ben')->get("/messages/conversations/$conversation/messages?limit=100")->json->{items}};
	$ben->click('.room-header .more')->click('[role=menuitem]', 'Photos and files')->wait_count('.overview .tile', $total);
	is $ben->value('document.querySelector(".overview h3").textContent'), 'Today', 'by day';
	$ben->click('.overview .tile:last-child')->wait_value(q{document.querySelector('.lightbox img')?.naturalWidth === 600});
	$ben->key('Escape')->wait_gone('.lightbox')->click('[data-tab=files]')->wait_text('.overview', 'notes.txt');
	is $ben->count('.overview .media-file'), 3, 'files apart';
	$ben->click('.overview-files li:last-child .link')->wait_gone('.overview-dialog')->wait_value(q{document.activeElement.querySelector('.media-file')});
	pass 'and where they were sent';
	$t->api('ben')->post('/messages/send', {to_user_id => 'ann', message_type => 'text', content => "line $_"}) for 1 .. 230;
	my $fresh = $web->enter('ben', width => 400);
	$fresh->open_chat('ann')->wait_last('line 230');
	$fresh->click('.room-header .more')->click('[role=menuitem]', 'Photos and files')->wait_count('.overview .tile', $total);
	pass 'older ones are fetched';
	my @nameless = grep { $_->[1] eq '' } $fresh->accessible;
	is_deeply \@nameless, [], 'everything has a name';
	is_deeply [$fresh->own_faults], [], 'no fault';
	$fresh->close;
};

subtest 'pictures of people and groups' => sub {
	my $of = q{(selector) => { const img = document.querySelector(selector); return img?.complete && img.naturalWidth > 0 && [img.naturalWidth, img.naturalHeight] }};
	$ann->click('.mine')->choose_files('.choose-picture', '', $wide)->wait_value(q{document.querySelector('.picture-preview canvas')});
	$ann->click('.dialog [type=submit]');
	is_deeply $ann->wait_value("($of)('.mine .avatar img')"), [300, 300], 'the middle of it';
	my $me = $t->api('ann')->get('/users/me')->json;
	like $me->{avatar_url}, qr{\A/media/[0-9a-f]{32}/picture\.webp\?}, 'is kept by the server';
	$ann->fill('.dialog input[autocomplete=nickname]', "Anna\n")->wait_text('.mine .name', 'Anna');
	is $t->api('ann')->get('/users/me')->json->{avatar_url} =~ s/\?.*//r, $me->{avatar_url} =~ s/\?.*//r, 'and stays when something else changes';
	my $viewer = $web->enter('ben');
	$viewer->wait_value(q{document.querySelector('.chat[data-user=ann] .avatar img')?.naturalWidth > 0});
	pass 'friends see it';
	$ann->click('.remove-picture')->click('.dialog [type=submit]')->wait_value(q{!document.querySelector('.mine .avatar img')});
	is $t->api('ann')->get('/users/me')->json->{avatar_url}, undef, 'taken away';
	$ann->fill('.dialog input[autocomplete=nickname]', "Ann\n")->wait_text('.mine .name', 'Ann')->key('Escape')->wait_gone('dialog');
	my $group = $web->group('Painters', 'ann', ['ben']);
	$ann->open_group($group)->open_panel('settings')->choose_files('.choose-picture', '', $tall)->wait_value(q{document.querySelector('.picture-preview canvas')});
	$ann->click('.group-settings [type=submit]');
	$_->wait_value(qq{document.querySelector('.chat[data-group="$group"] .avatar img')?.naturalWidth === 120}) for $ann, $viewer;
	pass 'of a group likewise';
	$ann->close_panel;
	$ann->open_chat('ben');
	is_deeply [$viewer->own_faults], [], 'no fault';
	$viewer->close;
};

subtest 'a phone, in Chinese' => sub {
	my $phone = $web->enter('ann', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$phone->open_chat('ben');
	$phone->click($attach)->wait_text('[role=menuitem]', '拍照');
	$phone->choose_files('[role=menuitem]', '拍照', $tall)->wait_text('.attach-dialog h2', '发送')->click('.attach-dialog .primary');
	wait_sent($phone);
	wait_picture($phone, 1);
	ok $phone->value("(() => {const r = $last.querySelector('.bubble').getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && document.documentElement.scrollWidth <= innerWidth})()"), 'it has room';
	choose_from($phone, '图片和视频', $wide)->click('.attach-dialog .primary');
	$phone->wait_value("$last.querySelector('.media-image img')?.naturalWidth === 600");
	wait_sent($phone);
	$phone->press('.message:last-child .media-image')->wait_value(q{document.querySelector('.bubble.pressed')});
	$phone->release->wait_text('[role=menuitem]', '转发');
	$phone->key('Escape')->wait_gone('.menu');
	$phone->click('.message:last-child .media-image')->wait_value(q{document.querySelector('.lightbox img')?.naturalWidth > 0});
	my @nameless = grep { $_->[1] eq '' } $phone->accessible;
	is_deeply \@nameless, [], 'everything has a name';
	my $at = $phone->value(q{document.querySelector('.lightbox-title').textContent});
	$phone->ask(cdp => 'Input.dispatchTouchEvent', {type => $_->[0], touchPoints => [map { +{x => $_, y => 300} } @$_[1 .. $#$_]]}) for ['touchStart', 100], ['touchMove', 160], ['touchMove', 250], ['touchEnd'];
	$phone->wait_value(q{document.querySelector('.lightbox-count').textContent.startsWith(String(document.querySelector('.lightbox-count').textContent.split('/')[1].trim() - 1))});
	pass 'a swipe leads to the one before';
	is_deeply [$phone->own_faults], [], 'no fault';
};

subtest 'files on another origin' => sub {
	my $base = 'http://localhost:' . ($t->node->address =~ s/.*://r);
	my $index = slurp($web->root . '/index.html');
	ok $index =~ s/(name="tidings-media-base-url" content=")"/$1$base"/, 'which the page names';
	spew($web->root . '/index.html', $index);
	$t->node->configure({%{$t->node->{conf}}, media => {%{$t->node->{conf}{media}}, base_url => $base}})->reload;
	$ann->click('.mine')->choose_files('.choose-picture', '', $wide)->wait_value(q{document.querySelector('.picture-preview canvas')});
	$ann->click('.dialog [type=submit]')->wait_text('.note', 'Saved');
	like $t->api('ann')->get('/users/me')->json->{avatar_url}, qr{\A\Q$base\E/media/}, 'is there';
	$ann->key('Escape')->wait_gone('dialog');
	my $viewer = $web->enter('ben');
	$viewer->wait_value(qq{(() => { const img = document.querySelector('.chat[data-user=ann] .avatar img'); return img?.naturalWidth > 0 && img.src.startsWith('$base/'); })()});
	pass 'a picture of a friend is loaded from there, before anything else was';
	is_deeply [$viewer->own_faults], [], 'no fault';
	$viewer->close;
};

is_deeply [map { $_->own_faults } $ann, $ben], [], 'no error in the consoles, nothing refused by the policy';
if (my $folder = $ENV{TIDINGS_SHOTS}) {
	for my $theme (qw(light dark)) {
		$_->theme($theme) for $ann, $ben;
		$ann->screenshot("$folder/own-$theme.png");
		$ben->screenshot("$folder/other-$theme.png");
	}
}
$web->stop;
done_testing;
