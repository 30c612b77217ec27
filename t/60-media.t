# SPDX-License-Identifier: BSD-2-Clause
# Proves uploading files and showing them (contract, section 10): in one request, by tus and by a place to put them; that an
# upload goes on after whatever has ended it, on another node too; signed URLs; who may see a file; what messages take; limits and
# names; and that a file goes with the last message that shows it.
use utf8;
use Tidings;
use Tidings::HTTP;
use Tidings::Pack qw(png);
use Tidings::Util qw(slurp);
use Digest::MD5 ();
use Digest::SHA qw(sha1 sha256);
use MIME::Base64 qw(encode_base64);

my $directory = Tidings::dir() . '/media';
mkdir $directory or die "$directory: $!\n";
my %conf = (media => {directory => $directory, max_size => 3_000_000, url_lifetime => 600}, limits => {requests_per_second => 0});
my $t = Tidings->start(nodes => 2, workers => 2, conf => \%conf);
$t->befriend(qw(alice bob carol));
my ($alice, $bob, $carol, $eve) = map { $t->api($_) } qw(alice bob carol eve);
my $anyone = $t->http(undef);
my $dbh = $t->dbh;
my $text = join '', map { "line $_ of a file\n" } 1 .. 100_000;

sub b64 { return encode_base64($_[0], '') }
sub upload { my ($http, $name, $type, $bytes) = @_; return $http->request('POST', "/media?name=$name", headers => ['Content-Type', $type], body => $bytes) }
my @tus = ('Tus-Resumable', '1.0.0');
sub create { my ($http, $size, %o) = @_; return $http->request('POST', '/media', headers => [@tus, 'Upload-Length', $size, 'Upload-Metadata', $o{metadata} // 'filename ' . b64('notes.txt') . ',filetype ' . b64('text/plain'), @{$o{headers} // []}], exists $o{body} ? (body => $o{body}) : ()) }
sub patch { my ($http, $path, $offset, $bytes, @headers) = @_; return $http->request('PATCH', $path, headers => [@tus, 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', $offset, @headers], body => $bytes) }
sub offset { my ($http, $path) = @_; return $http->request('HEAD', $path, headers => \@tus) }
sub send_file { my ($http, $to, $type, $id, %more) = @_; return $http->post('/messages/send', {to_user_id => $to, message_type => $type, media_url => "tidings:media/$id", %more}) }
sub files { my ($id) = @_; my @names = sort map { s{.*/}{}r } glob "$directory/*/*/$id*"; return @names }

subtest 'in one request' => sub {
	my $r = upload($alice, 'a%20cat%2F%E7%8C%AB.png', 'text/html', png(1));
	is $r->status, 201, 'uploaded' or diag(explain($r->json));
	my $m = $r->json;
	is_deeply [@$m{qw(name content_type width height duration)}], ['a cat_猫.png', 'image/png', 4, 3, undef], 'what it is, is found from its content; the name has no folders';
	ok defined $m->{$_}, "it has a $_" for qw(thumbnail_url blurhash);
	is_deeply $alice->get("/media/$m->{id}/info")->json, $m, 'and its uploader can ask for that';
	my $file = $anyone->get($m->{url});
	is $file->status, 200, 'its URL needs no token';
	like $file->body, qr/\A\x89PNG/, 'the picture';
	is length $file->body, $m->{size}, 'of that size';
	is $file->header('content-type'), 'image/png', 'its type';
	like $file->header('content-disposition'), qr/\Ainline; filename\*=UTF-8''a%20cat_%E7%8C%AB\.png\z/, 'its name';
	is $file->header($_->[0]), $_->[1], $_->[0] for ['cache-control', 'private, max-age=31536000, immutable'], ['x-content-type-options', 'nosniff'], ['accept-ranges', 'bytes'];
	is $anyone->get($m->{url}, headers => ['If-None-Match', $file->header('etag')])->status, 304, 'who has it is told so';
	my $part = $anyone->get($m->{url}, headers => ['Range', 'bytes=1-3']);
	is_deeply [$part->status, $part->body, $part->header('content-range')], [206, 'PNG', "bytes 1-3/$m->{size}"], 'a range';
	is $anyone->get($m->{url}, headers => ['Range', 'bytes=9999999-'])->status, 416, 'behind its end';
	my $head = $anyone->request('HEAD', $m->{url});
	is_deeply [$head->status, $head->header('content-length')], [200, $m->{size}], 'HEAD';
	my $thumb = $anyone->get($m->{thumbnail_url});
	is_deeply [$thumb->status, $thumb->header('content-type')], [200, 'image/webp'], 'the thumbnail';
	my $plain = upload($alice, 'page.html', 'image/png', '<script>alert(1)</script>')->json;
	my $shown = $anyone->get($plain->{url});
	like $shown->header('content-disposition'), qr/\Aattachment;/, 'what is no picture, audio or video is not shown, only saved';
	is_deeply [@$plain{qw(width thumbnail_url blurhash)}], [undef, undef, undef], 'what does not apply is null';
	is $anyone->get("$plain->{url}&size=thumb")->status, 404, 'it has no thumbnail';
	is $anyone->get("$plain->{url}&size=huge")->status, 400, 'there is no other size';
	is upload($alice, '', 'text/plain', '')->json->{size}, 0, 'an empty file is one, too';
	is upload($alice, 'x.json', 'application/json', '{}')->json->{name}, 'x.json', 'a JSON file is told from a request by its name';
};

subtest 'URLs' => sub {
	my $m = upload($alice, 'a.txt', 'text/plain', 'text')->json;
	my ($path, $e, $s) = $m->{url} =~ /\A(.*)\?e=(\d+)&s=([\w-]{22})\z/ or die $m->{url};
	cmp_ok $e, '>=', time + 599, 'it is valid for the lifetime';
	cmp_ok $e, '<=', time + 600 + 75 + 2, 'and an eighth at most';
	is $anyone->get("$path?e=$e&s=" . ($s =~ tr/A-Za-z0-9/B-ZAb-za1-90/r))->status, 401, 'another signature';
	is $anyone->get("$path?e=" . ($e + 1) . "&s=$s")->status, 401, 'another time';
	is $anyone->get($path)->status, 401, 'none';
	is $alice->get($path)->status, 200, 'a token does, too';
	is $eve->get($path)->status, 404, 'but not a stranger\'s';
	is $anyone->get("$path?e=$e&s=$s" =~ s{/a\.txt}{/another%20name}r)->status, 200, 'the name is of no matter';
	is $anyone->get('/media/' . ('0' x 32) . "/a.txt?e=$e&s=$s")->status, 401, 'it is of this file alone';
	is $anyone->request('PUT', "/media/$m->{id}?e=$e&s=$s", headers => ['Content-Type', 'text/plain'], body => 'evil')->status, 401, 'and for reading alone';
	is $anyone->get("/media/$m->{id}/info?e=$e&s=$s")->status, 401, 'what is known of it needs a token';
};

subtest 'in messages' => sub {
	my ($picture, $file) = (upload($alice, 'p.png', 'image/png', png(2))->json, upload($alice, 'f.txt', 'text/plain', 'text')->json);
	my $ws = $t->ws('bob');
	is $bob->get("/media/$picture->{id}/info")->status, 404, 'nobody else sees it';
	is send_file($bob, 'alice', 'image', $picture->{id})->status, 404, 'nor can send it';
	for (['voice', $picture], ['video', $picture], ['image', $file]) {
		my $r = send_file($alice, 'bob', $_->[0], $_->[1]{id});
		is $r->status, 400, "a $_->[0] that is $_->[1]{content_type}";
		like $r->json->{detail}, qr/\Amedia_url: /, 'names what is wrong';
	}
	is send_file($alice, 'bob', 'image', '0' x 32)->status, 404, 'none';
	is send_file($alice, 'bob', 'text', $picture->{id}, content => 'x')->status, 400, 'a text has none';
	my $r = send_file($alice, 'bob', 'image', $picture->{id}, content => 'look', client_msg_id => 'pic1');
	is $r->status, 201, 'sent' or diag(explain($r->json));
	my $m = $r->json;
	my $event = $ws->expect('message')->{message};
	for ([$m, 'the answer'], [$event, 'the event'], [$bob->get("/messages/$m->{id}")->json, 'the message'], [$bob->get('/messages/conversations')->json->{items}[0]{last_message}, 'the list']) {
		is $anyone->get($_->[0]{media_url})->body, $anyone->get($picture->{url})->body, "$_->[1] has a URL that works";
	}
	is_deeply send_file($alice, 'bob', 'image', $picture->{id}, content => 'look', client_msg_id => 'pic1')->json, $m, 'a repeat is the same';
	is send_file($alice, 'bob', 'file', $file->{id}, client_msg_id => 'pic1')->status, 409, 'with another file it is none';
	is $bob->get("/media/$picture->{id}/info")->json->{id}, $picture->{id}, 'who sees the message sees what is known of it';
	is $eve->get("/media/$picture->{id}/info")->status, 404, 'a stranger does not';
	is send_file($bob, 'carol', 'file', $picture->{id})->status, 201, 'and may send it on, as a file, too';
	is $carol->get("/media/$picture->{id}/info")->status, 200, 'then others see it';
	is $alice->delete("/media/$picture->{id}")->status, 409, 'a file that a message shows stays';
	$dbh->do('INSERT INTO media_uses (media_id, message_id) SELECT ?, (3 << 61) + seq FROM seq_1_to_1000', undef, $picture->{id});
	is_deeply [map { $_->get("/media/$picture->{id}/info")->status } $bob, $carol, $eve], [200, 200, 404], 'however many others show it';
	$dbh->do('DELETE FROM media_uses WHERE media_id = ? AND message_id > 3 << 61', undef, $picture->{id});
	my $group = $t->group('alice', ['carol']);
	is $alice->post('/messages/send', {conversation_id => $group, message_type => 'file', media_url => "tidings:media/$file->{id}"})->status, 201, 'to a group';
	is $carol->get("/media/$file->{id}/info")->status, 200, 'whose members see it';
	is $bob->get("/media/$file->{id}/info")->status, 404, 'and nobody else';
	$carol->delete("/messages/$_->{id}") for @{$carol->get("/messages/conversations/$group/messages")->json->{items}};
	is $carol->get("/media/$file->{id}/info")->status, 404, 'nor who has deleted the message for themselves';
	$ws->abort;
};

subtest 'by tus' => sub {
	my $options = $anyone->request('OPTIONS', '/media');
	is_deeply [$options->status, map { $options->header($_) } qw(tus-version tus-extension tus-max-size tus-checksum-algorithm)],
		[204, '1.0.0', 'creation,creation-with-upload,termination,expiration,checksum', 3_000_000, 'md5,sha1,sha256,sha512'], 'it says what it can';
	my $r = create($alice, length $text);
	is $r->status, 201, 'created' or diag(explain($r->json));
	my $path = $r->header('location');
	like $path, qr{\A/media/[0-9a-f]{32}\z}, 'Location';
	ok $r->header('upload-expires'), 'it says when it expires';
	is $alice->get("$path/info")->status, 409, 'nothing is known of it before it is complete';
	is offset($eve, $path)->status, 404, 'it is not another\'s';
	is patch($eve, $path, 0, 'x')->status, 404, 'nor can they write it';
	my $half = int(length($text) / 2);
	$r = patch($alice, $path, 0, substr $text, 0, $half);
	is_deeply [$r->status, $r->header('upload-offset'), $r->body], [204, $half, ''], 'a half';
	my $head = offset($t->http('alice', node => 1), $path);
	is_deeply [map { $head->header($_) } qw(upload-offset upload-length cache-control)], [$half, length $text, 'no-store'], 'another node knows how far it has come';
	is $head->header('upload-metadata'), 'filename ' . b64('notes.txt') . ',filetype ' . b64('text/plain'), 'and what was said of it';
	$r = patch($alice, $path, 0, substr $text, 0, $half);
	is_deeply [$r->status, $r->json->{code}, $r->header('upload-offset')], [409, 'conflict', $half], 'a wrong offset';
	my $rest = substr $text, $half;
	$r = patch($alice, $path, $half, $rest, 'Upload-Checksum', 'sha1 ' . b64(sha1('other')));
	is_deeply [$r->status, $r->json->{code}], [460, 'checksum_mismatch'], 'a wrong checksum';
	is offset($alice, $path)->header('upload-offset'), $half, 'of which nothing counts';
	is patch($alice, $path, $half, $rest, 'Upload-Checksum', $_)->status, 400, "no checksum: $_" for 'sha1', 'crc64 AAAA', 'sha1 AAAA', 'md5 ****************';
	$r = patch($t->http('alice', node => 1), $path, $half, $rest, 'Upload-Checksum', 'sha256 ' . b64(sha256($rest)));
	is_deeply [$r->status, $r->header('upload-offset')], [204, length $text], 'the other half, at the other node';
	my $m = $alice->get("$path/info")->json;
	is_deeply [@$m{qw(name size)}], ['notes.txt', length $text], 'it is complete';
	is $anyone->get($m->{url})->body, $text, 'and whole';
	is patch($alice, $path, length $text, '')->status, 204, 'the last request again';
	$r = create($alice, length $text, headers => ['Content-Type', 'application/offset+octet-stream'], body => $text);
	is_deeply [$r->status, $r->json->{size}, $r->header('upload-offset')], [201, length $text, length $text], 'all of it when it is created';
	$r = create($alice, 10, headers => ['Content-Type', 'application/offset+octet-stream'], body => 'half');
	is_deeply [$r->status, $r->header('upload-offset')], [201, 4], 'or a part';
	$path = $r->header('location');
	is patch($alice, $path, 4, '0123456789')->status, 400, 'more than there is left';
	is $alice->request('POST', $path, headers => [@tus, 'X-HTTP-Method-Override', 'PATCH', 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', 4], body => 'whole!')->status, 204, 'a client that can only POST';
	$path = create($alice, 10)->header('location');
	is $eve->request('DELETE', $path, headers => \@tus)->status, 404, 'another cannot end it';
	is $alice->request('DELETE', $path, headers => \@tus)->status, 204, 'ended';
	is offset($alice, $path)->status, 404, 'it is gone';
	$r = $alice->request('POST', '/media', headers => ['Tus-Resumable', '0.2.2', 'Upload-Length', 1]);
	is_deeply [$r->status, $r->header('tus-version')], [412, '1.0.0'], 'another version';
	is create($alice, 10, metadata => $_)->status, 400, "bad metadata: $_" for 'filename !!!!', 'filename ' . b64("a\0b"), 'filename ' . b64("\xff"), 'filename ' . b64("a\nb");
	is create($alice, $_)->status, 400, "bad length: $_" for '-1', '1x', '';
	is create($alice, 3_000_001)->status, 413, 'too large';
	is create($alice, 10, headers => ['Content-Type', 'text/plain'], body => 'x')->status, 415, 'a body of another type';
};

# Sends the beginning of a PATCH and no more.
sub begin_patch {
	my ($http, $path, $offset, $bytes, $whole, @headers) = @_;
	$http->raw($http->render('PATCH', $path, headers => [@tus, 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', $offset, 'Content-Length', $whole, @headers], body => $bytes));
	return $http;
}
sub part_size { my ($path) = @_; my ($file) = map { glob "$directory/*/*/$_.part" } $path =~ m{([^/]+)\z}; return $file ? -s $file : 0 }

subtest 'interrupted' => sub {
	my $path = create($alice, length $text)->header('location');
	my $http = begin_patch($t->http('alice'), $path, 0, substr($text, 0, 700_000), length $text);
	wait_for('some of it', sub { part_size($path) >= 600_000 });
	is patch($alice, $path, part_size($path), 'x')->status, 423, 'while it comes another cannot write it';
	$http->close;
	wait_for('the end of the request', sub { patch($alice, $path, 9_999_999, 'x')->status == 409 });
	my $at = offset($alice, $path)->header('upload-offset');
	cmp_ok $at, '>=', 600_000, 'what has come counts';
	my %old = map { $_ => 1 } map { $_->worker_pids } $t->nodes;
	$http = begin_patch($t->http('alice', node => 1), $path, $at, substr($text, $at, 300_000), length($text) - $at);
	wait_for('more of it', sub { part_size($path) > $at + 200_000 });
	$_->allow_deaths(2) for $t->nodes;
	kill 'KILL', keys %old;
	wait_for('other workers', sub { my @now = map { $_->worker_pids } $t->nodes; @now == 4 && !grep { $old{$_} } @now });
	wait_for('the answer', sub { my $r = eval { offset($t->http('alice'), $path) }; $r && $r->status == 200 });
	$at = offset($alice, $path)->header('upload-offset');
	my $rest = substr $text, $at;
	# What had come of a part with a checksum when its worker died is not known to be right.
	$http = begin_patch($t->http('alice'), $path, $at, 'wrong' x 60_000, length $rest, 'Upload-Checksum', 'sha1 ' . b64(sha1($rest)));
	wait_for('the wrong part', sub { part_size($path) > $at + 200_000 });
	%old = map { $_ => 1 } map { $_->worker_pids } $t->nodes;
	$_->allow_deaths(2) for $t->nodes;
	kill 'KILL', keys %old;
	wait_for('other workers again', sub { my @now = map { $_->worker_pids } $t->nodes; @now == 4 && !grep { $old{$_} } @now });
	wait_for('the answer again', sub { my $r = eval { offset($t->http('alice'), $path) }; $r && $r->status == 200 });
	is offset($alice, $path)->header('upload-offset'), $at, 'and does not count';
	is patch($alice, $path, $at, $rest)->status, 204, 'the rest';
	is $anyone->get($alice->get("$path/info")->json->{url})->body, $text, 'it is whole';
	# Its last worker died before the file was looked at.
	my ($id) = create($alice, 5)->header('location') =~ m{([^/]+)\z};
	my ($one, $two) = $id =~ /\A(..)(..)/;
	mkdir "$directory/$one" or !-d "$directory/$one" && die $!;
	mkdir "$directory/$one/$two" or !-d "$directory/$one/$two" && die $!;
	open my $fh, '>', "$directory/$one/$two/$id.part" or die $!;
	print $fh 'whole';
	close $fh or die $!;
	is offset($alice, "/media/$id")->header('upload-offset'), 5, 'a whole file that was not looked at';
	is $alice->get("/media/$id/info")->json->{size}, 5, 'is complete when it is asked for';
};

subtest 'a place to put it' => sub {
	my $r = $alice->post('/media', {name => 'put.txt', size => length $text, content_type => 'text/plain'});
	is $r->status, 201, 'announced';
	my ($id, $place) = ($r->json->{id}, $r->json->{upload});
	is $alice->post("/media/$id/complete")->status, 409, 'it is not complete';
	my $put = sub { my ($url, $bytes) = @_; return $anyone->request($place->{method}, $url, headers => [%{$place->{headers}}], body => $bytes) };
	is $put->($place->{url}, 'short')->status, 400, 'too few bytes';
	is $put->($place->{url} =~ s{s=(.)}{"s=" . ($1 eq "-" ? "A" : "-")}er, $text)->status, 401, 'another signature';
	is $put->($place->{url}, 'x' x length $text)->status, 200, 'put';
	is $put->($place->{url}, $text)->status, 200, 'and again, which counts';
	is $bob->post("/media/$id/complete")->status, 404, 'another cannot complete it';
	my $m = $alice->post("/media/$id/complete")->json;
	is_deeply [@$m{qw(id name size)}], [$id, 'put.txt', length $text], 'complete';
	is_deeply $alice->post("/media/$id/complete")->json, $m, 'the same again';
	is $anyone->get($m->{url})->body, $text, 'the file';
	is $put->($place->{url}, $text)->status, 409, 'it cannot be changed any more';
	for ([{size => 1}, 'name'], [{name => 'x'}, 'size'], [{name => 'x', size => '1'}, 'size'], [{name => 'x', size => -1}, 'size'], [{name => "x\x01", size => 1}, 'name'], [{name => 'x' x 256, size => 1}, 'name']) {
		my $e = $alice->post('/media', $_->[0]);
		is $e->status, 400, "no $_->[1]";
		like $e->json->{detail}, qr/\A$_->[1]: /, 'which is named';
	}
	is $alice->post('/media', {name => 'x', size => 3_000_001})->status, 413, 'too large';
};

subtest 'names and bodies' => sub {
	for (['..', 'file'], ['.', 'file'], ['%E2%80%AEgpj.exe', 'gpj.exe'], ['..%2F..%2Fetc%2Fpasswd', '.._.._etc_passwd'], ['a%5Cb', 'a_b'], ['%20%20', 'file']) {
		is upload($alice, $_->[0], 'text/plain', 'x')->json->{name}, $_->[1], "the name $_->[0]";
	}
	is upload($alice, $_, 'text/plain', 'x')->status, 400, "no name: $_" for 'a%0Ab', 'a%00b', '%FF', 'x' x 256, '%E7%8C%AB' x 214;
	my $long = upload($alice, '%E7%8C%AB' x 213, 'text/plain', 'x')->json;
	is length $long->{name}, 213, 'a long name';
	is $anyone->get(send_file($alice, 'bob', 'file', $long->{id})->json->{media_url})->body, 'x', 'can be sent, too';
	is upload($alice, 'x', 'text/plain', 'x' x 3_000_001)->status, 413, 'too large';
	is $alice->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain', 'Transfer-Encoding', 'chunked'], body => "1\r\nx\r\n0\r\n\r\n")->status, 400, 'of a length that is not known';
	is $anyone->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => 'x')->status, 401, 'without a token';
	is $alice->request($_->[0], $_->[1])->status, $_->[2], "$_->[0] $_->[1]" for ['GET', '/media', 405], ['GET', '/media/' . '0' x 32, 405], ['GET', '/media/xyz/info', 404], ['HEAD', '/media/' . '0' x 32, 404], ['DELETE', '/media/' . 'A' x 32, 404];
	my $bad = upload($alice, 'x.png', 'image/png', substr(png(3), 0, 40));
	is_deeply [$bad->status, $bad->json->{code}], [400, 'invalid_argument'], 'a picture that cannot be read';
	like $bad->json->{detail}, qr/\Athe file is refused: /, 'is refused';
};

subtest 'the end of a file' => sub {
	my $m = upload($alice, 'p.png', 'image/png', png(4))->json;
	my $first = send_file($alice, 'bob', 'image', $m->{id})->json;
	my $second = $alice->post('/messages/forward', {message_ids => [$first->{id}], to => [{user_id => 'carol'}]})->json;
	my $merged = $alice->post('/messages/forward', {message_ids => [$first->{id}], to => [{user_id => 'carol'}], merged => JSON::PP::true})->json;
	my @copies = @{$dbh->selectcol_arrayref('SELECT message_id FROM media_uses WHERE media_id = ? AND message_id <> ? ORDER BY message_id', undef, $m->{id}, $first->{id})};
	is scalar(@copies), 2, 'a forwarded message shows it, and a merged one';
	is scalar(files($m->{id})), 2, 'the file and its thumbnail';
	for my $id ($first->{id}, @copies) {
		is $anyone->get($m->{url})->status, 200, 'it is there';
		is $alice->put("/messages/$id/recall")->status, 200, 'a message is recalled';
	}
	wait_for('the file to go', sub { !files($m->{id}) });
	wait_for('its row to go', sub { !$dbh->selectrow_array('SELECT 1 FROM media WHERE id = ?', undef, $m->{id}) });
	is $anyone->get($m->{url})->status, 404, 'with the last of them it goes';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM media_uses WHERE media_id = ?', undef, $m->{id}), 0, 'nothing is left of it';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM media_idle WHERE media_id = ?', undef, $m->{id}), 0, 'nor to be looked at';

	my ($unused, $used) = map { upload($alice, 'x', 'text/plain', $_)->json } 'unused', 'used';
	send_file($alice, 'bob', 'file', $used->{id});
	my ($begun) = create($alice, 100)->header('location') =~ m{([^/]+)\z};
	patch($alice, "/media/$begun", 0, 'a part');
	my $ids = join ',', map { $dbh->quote($_) } $unused->{id}, $used->{id}, $begun;
	is $dbh->selectrow_array("SELECT COUNT(*) FROM media_idle WHERE media_id IN ($ids) AND due_at BETWEEN UTC_TIMESTAMP(3) + INTERVAL 23 HOUR AND UTC_TIMESTAMP(3) + INTERVAL 24 HOUR"), 3, 'each is looked at a day later';
	$dbh->do("UPDATE media_idle SET due_at = UTC_TIMESTAMP(3) WHERE media_id IN ($ids)");
	wait_for('those that are not used to go', sub { !files($unused->{id}) && !files($begun) });
	wait_for('all to be looked at', sub { !$dbh->selectrow_array("SELECT 1 FROM media_idle WHERE media_id IN ($ids)") });
	is $anyone->get($used->{url})->body, 'used', 'that which a message shows stays';
	is_deeply [map { $alice->get("/media/$_/info")->status } $unused->{id}, $begun], [404, 404], 'the others are gone';
	is send_file($alice, 'bob', 'file', $unused->{id})->status, 404, 'and cannot be sent';

	my $brief = upload($alice, 'x', 'text/plain', 'brief')->json;
	send_file($alice, 'bob', 'file', $brief->{id}, expires_in => 5);
	wait_for('one whose message expires to go', sub { !files($brief->{id}) });
	ok 1, 'one whose message expires goes, too';
};

subtest 'a recall that the relay has not heard of' => sub {
	my ($kept, $dropped) = map { upload($alice, 'x', 'text/plain', $_)->json } 'kept', 'dropped';
	my ($shown, @recalled) = map { send_file($alice, 'bob', 'file', $_->{id})->json } $kept, $kept, $dropped;
	my $holder = $t->stack->dbh($t->{database});
	$holder->do('START TRANSACTION');
	$holder->selectall_arrayref('SELECT 1 FROM media_uses FORCE INDEX (PRIMARY) WHERE media_id IN (?, ?) FOR UPDATE', undef, $kept->{id}, $dropped->{id});
	is $alice->put("/messages/$_->{id}/recall")->status, 200, 'recalled' for @recalled;
	my $uses = sub { return $dbh->selectrow_array('SELECT COUNT(*) FROM media_uses WHERE media_id = ?', undef, $_[0]{id}) };
	is_deeply [map { $uses->($_) } $kept, $dropped], [2, 1], 'what they have shown is still noted';
	is_deeply [map { $bob->get("/media/$_->{id}/info")->status } $kept, $dropped], [200, 404], 'who could see a message sees its file no more';
	is_deeply [map { $alice->delete("/media/$_->{id}")->status } $kept, $dropped], [409, 204], 'and its owner may delete it';
	$holder->do('ROLLBACK');
	wait_for('the relay to hear of it', sub { $uses->($kept) == 1 && $uses->($dropped) == 0 });
	wait_for('the file to go', sub { !files($dropped->{id}) });
	is $bob->get("/media/$kept->{id}/info")->status, 200, 'what another message shows stays';
	is $alice->put("/messages/$shown->{id}/recall")->status, 200, 'until that is recalled, too';
	wait_for('it to go', sub { !files($kept->{id}) });
};

subtest 'pictures of users and groups' => sub {
	my ($one, $two, $text) = (upload($alice, '1.png', 'image/png', png(11))->json, upload($alice, '2.png', 'image/png', png(12))->json, upload($alice, 'x', 'text/plain', 'x')->json);
	my $ref = sub { return "tidings:media/$_[0]{id}" };
	my $bytes = $anyone->get($one->{url})->body;
	is $bob->put('/users/me', {avatar_url => $ref->($one)})->status, 404, 'not another\'s file';
	my $r = $alice->put('/users/me', {avatar_url => $ref->($text)});
	is_deeply [$r->status, $r->json->{detail} =~ /\Aavatar_url: /], [400, 1], 'nor what is no picture';
	is $alice->put('/users/me', {avatar_url => 'tidings:media/x'})->status, 400, 'nor what names none';
	$r = $alice->put('/users/me', {avatar_url => $ref->($one), nickname => 'Alice'});
	is_deeply [$r->status, $r->json->{nickname}], [200, 'Alice'], 'a user\'s' or diag(explain($r->json));
	is $anyone->get($_->{avatar_url})->body, $bytes, 'whoever sees the profile sees it' for $r->json, $bob->get('/users/alice')->json, $carol->get('/friends')->json->{items}[0]{user};
	my $group = $alice->post('/groups', {name => 'with a picture', user_ids => ['bob'], avatar_url => $ref->($one)});
	is $group->status, 201, 'a group\'s' or diag(explain($group->json));
	my $id = $group->json->{id};
	is $anyone->get($bob->get("/groups/$id")->json->{group}{avatar_url})->body, $bytes, 'for its members';
	my $due = sub { $dbh->do('INSERT INTO media_idle (media_id, due_at) VALUES (?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE due_at = VALUES(due_at)', undef, $_[0]{id}); return wait_for('it to be looked at', sub { !$dbh->selectrow_array('SELECT 1 FROM media_idle WHERE media_id = ?', undef, $_[0]{id}) }) };
	$due->($one);
	is scalar(files($one->{id})), 2, 'it is kept';
	is $alice->delete("/media/$one->{id}")->status, 409, 'and cannot be deleted';
	is $alice->put('/users/me', {avatar_url => $ref->($two)})->status, 200, 'another for the user';
	is $alice->put("/groups/$id", {avatar_url => 'https://elsewhere.example/a.png'})->json->{group}{avatar_url}, 'https://elsewhere.example/a.png', 'an address elsewhere for the group';
	wait_for('the first to go', sub { !files($one->{id}) });
	is scalar(files($two->{id})), 2, 'the other is kept';
	is $alice->put('/users/me', {avatar_url => undef})->json->{avatar_url}, undef, 'none';
	wait_for('that to go, too', sub { !files($two->{id}) });
};

subtest 'a forward and a recall at once' => sub {
	for my $round (1 .. 10) {
		my $m = upload($alice, 'x', 'text/plain', "round $round")->json;
		my $first = send_file($alice, 'bob', 'file', $m->{id})->json;
		my ($a, $b) = ($t->http('alice'), $t->http('bob', node => 1));
		$a->send_request('PUT', "/messages/$first->{id}/recall");
		$b->send_request('POST', '/messages/send', json => {to_user_id => 'carol', message_type => 'file', media_url => "tidings:media/$m->{id}"});
		my ($recalled, $sent) = ($a->response, $b->response);
		is $recalled->status, 200, "$round: recalled";
		wait_for('it to be looked at', sub { !$dbh->selectrow_array('SELECT 1 FROM media_idle WHERE media_id = ?', undef, $m->{id}) });
		if ($sent->status == 201) {
			is $anyone->get($sent->json->{media_url})->body, "round $round", 'what was sent is there';
		} else {
			is_deeply [$sent->status, scalar files($m->{id})], [404, 0], 'what was not is gone';
		}
	}
};

subtest 'limits' => sub {
	my ($dan, $ann) = map { $t->api($_) } qw(dan ann);
	$_->configure({%{$_->{conf}}, media => {%{$conf{media}}, quota_per_user => 100}, limits => {requests_per_second => 0, uploads_per_day => 5}}) for $t->nodes;
	$_->reload for $t->nodes;
	my $first = upload($dan, 'x', 'text/plain', 'x' x 60);
	is $first->status, 201, 'within the quota';
	my $r = upload($dan, 'x', 'text/plain', 'x' x 41);
	is_deeply [$r->status, $r->json->{code}], [507, 'quota_exceeded'], 'over the quota';
	is create($dan, 41)->status, 507, 'also when it is announced';
	$dan->delete('/media/' . $first->json->{id});
	wait_for('the deleted one to go', sub { !files($first->json->{id}) });
	wait_for('its row to go', sub { !$dbh->selectrow_array('SELECT 1 FROM media WHERE id = ?', undef, $first->json->{id}) });
	is upload($dan, 'x', 'text/plain', 'x' x 60)->status, 201, 'what is deleted makes room';
	my %uploads;
	for my $user (map { "new$_" } 1 .. 5) {
		my @at_once = map { $t->http($user, node => $_ % 2) } 1 .. 6;
		$_->send_request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => 'x' x 60) for @at_once;
		$uploads{$_->response->status}++ for @at_once;
	}
	is_deeply \%uploads, {201 => 5, 507 => 25}, 'of the first uploads of a user, at once, one has room';
	is upload($ann, 'x', 'text/plain', 'x')->status, 201, 'an upload' for 1 .. 5;
	$r = upload($ann, 'x', 'text/plain', 'x');
	is_deeply [$r->status, $r->json->{code}], [429, 'rate_limited'], 'one more than a day has';
	cmp_ok $r->header('retry-after'), '>', 80_000 / 5, 'and when to try again';
};

$t->stop;
done_testing;
