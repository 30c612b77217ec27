# SPDX-License-Identifier: BSD-2-Clause
# Proves tidingsctl media: show tells all of a file, also which messages show it; check finds what the database and the
# directory differ in, page by page, and changes nothing; gc says what is due, and with --now makes that all which is unused.
use Tidings;
use Tidings::HTTP;
use Tidings::Pack qw(png);
use Tidings::Util qw(spew);

my $directory = Tidings::dir() . '/media';
mkdir $directory or die "$directory: $!\n";
my $t = Tidings->start(workers => 1, conf => {media => {directory => $directory}, limits => {requests_per_second => 0, sends_per_second => 10_000, burst => 10_000}});
my ($node, $dbh) = ($t->node, $t->dbh);
$t->befriend(qw(alice bob));
my $alice = $t->api('alice');

sub upload { my ($name, $type, $bytes) = @_; my $r = $alice->request('POST', "/media?name=$name", headers => ['Content-Type', $type], body => $bytes); die $r->body if $r->status != 201; return $r->json }
sub send_file { my ($id, %more) = @_; return $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'file', media_url => "tidings:media/$id", %more})->json }
sub place { my ($id, $suffix) = @_; return sprintf '%s/%s/%s/%s%s', $directory, substr($id, 0, 2), substr($id, 2, 2), $id, $suffix // '' }
# A file of that content where there may be no folder yet.
sub put_file {
	my ($path, $text) = @_;
	my ($at) = $path =~ m{\A(.*/..)/../[^/]+\z};
	for my $folder ($at, $path =~ m{\A(.*)/}) {
		mkdir $folder or -d $folder or die "$folder: $!\n";
	}
	spew($path, $text);
	return;
}
# The lines, or what JSON says, and the exit status.
sub check {
	my ($status, $out) = $node->ctl('media', 'check');
	my ($json_status, $json) = $node->ctl('--json', 'media', 'check');
	my @lines = split /\n/, $out;
	my $sums = pop @lines;
	my $faults = JSON::PP::decode_json($json)->{faults};
	is scalar(@$faults), scalar(@lines), 'as JSON';
	is $json_status, $status, 'the same exit status';
	return ($status, $sums, [sort @lines]);
}

my $picture = upload('a%20cat.png', 'image/png', png(1));
my $text = upload('notes.txt', 'text/plain', 'some text');
my $created = $alice->request('POST', '/media', headers => ['Tus-Resumable', '1.0.0', 'Upload-Length', 100])->header('location');
my ($begun) = $created =~ m{([^/]+)\z};
$alice->request('PATCH', $created, headers => ['Tus-Resumable', '1.0.0', 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', 0], body => 'a part');

subtest 'show' => sub {
	my $m = send_file($picture->{id});
	my ($conversation) = $m->{conversation_id};
	my $out = $node->ctl_ok('media', 'show', $picture->{id});
	my %line = $out =~ /^(\w+) +(.*)$/mg;
	is_deeply [@line{qw(id owner state size type name pixels thumbnail)}], [$picture->{id}, 'alice', 'ready', $picture->{size}, 'image/png', 'a cat.png', '4 x 3', 'yes'], 'what is known of a file';
	is $line{created}, $picture->{created_at}, 'when it was made';
	is $line{file}, place($picture->{id}) . ", $picture->{size} bytes", 'where it lies';
	is $line{messages}, "$m->{id} of conversation $conversation", 'which message shows it';
	like $line{deleted}, qr/\A\S+Z, if no message shows it\z/, 'when it is looked at';
	my $json = $node->ctl_ok('--json', 'media', 'show', $picture->{id});
	is_deeply [@$json{qw(id owner_id state size content_type name width height duration_ms path file_size)}, $json->{messages}],
		[$picture->{id}, 'alice', 'ready', $picture->{size}, 'image/png', 'a cat.png', 4, 3, undef, place($picture->{id}), $picture->{size}, [{id => $m->{id}, conversation_id => $conversation}]], 'as JSON';
	$out = $node->ctl_ok('media', 'show', $begun);
	like $out, qr/^state +uploading$/m, 'an upload';
	like $out, qr/^file +\S+\.part, 6 bytes$/m, 'of which so much has come';
	like $out, qr/^messages +none$/m, 'no message shows it';
	my ($status, undef, $err) = $node->ctl('media', 'show', '0' x 32);
	is $status, 1, 'none';
	like $err, qr/there is no file 0{32}/, 'is said';
	is +($node->ctl('media', 'show', $_))[0], 2, "no id: $_" for 'x', 'A' x 32, '';
	is +($node->ctl('media', @$_))[0], 2, "no command: @$_" for [], ['show'], ['gc', '--then'], ['check', 'x'], ['erase'];
	# More than a page of messages.
	$dbh->do("INSERT INTO media_uses (media_id, message_id) SELECT ?, seq FROM seq_1_to_1234", undef, $text->{id});
	is scalar(() = $node->ctl_ok('media', 'show', $text->{id}) =~ /of conversation/g), 1234, 'many messages';
	is scalar(@{$node->ctl_ok('--json', 'media', 'show', $text->{id})->{messages}}), 1234, 'as JSON';
	$dbh->do('DELETE FROM media_uses WHERE media_id = ?', undef, $text->{id});
};

subtest 'check' => sub {
	my ($status, $sums, $lines) = check();
	is_deeply [$status, $sums, $lines], [0, '3 rows and 4 files were looked at: 0 faults', []], 'all is well, also the part of an upload';
	# More than a page of each, of which every third has another fault.
	my @ids = map { sprintf '%04x%028x', $_ * 40, $_ } 1 .. 1500;
	$dbh->do("INSERT INTO media (id, owner_id, state, size, name, content_type, has_thumbnail, created_at) VALUES " . join ',', map { sprintf "('%s', 'alice', 1, 4, 'x', 'text/plain', 0, UTC_TIMESTAMP(3))", $ids[$_] } grep { $_ % 3 } 0 .. 1499);
	my @expected;
	for my $n (0 .. 1499) {
		put_file(place($ids[$n]), $n % 3 == 2 ? '12345' : '1234') if $n % 3 != 1;
		push @expected, ('file_without_row ', 'missing_file     ', 'wrong_size       ')[$n % 3] . ' ' . place($ids[$n]) . ($n % 3 == 2 ? ': 5 bytes instead of 4' : '');
	}
	($status, $sums, $lines) = check();
	is_deeply [$status, $sums], [1, '1003 rows and 1004 files were looked at: 1500 faults'], 'faults';
	is_deeply $lines, [sort @expected], 'each is said';
	$dbh->do("DELETE FROM media WHERE name = 'x'");
	unlink map { place($_) } @ids;
	unlink place($picture->{id}, '.thumb') or die $!;
	my @others = ("$directory/README", "$directory/ab", place($text->{id}, '.bak'), place($ids[0]) =~ s/.\z/x/r, place($ids[3]) =~ s{/([^/]+)\z}{/$ids[40]}r);
	put_file("$directory/ab/cd/none", 'x');
	spew("$directory/README", 'x');
	put_file($_, 'x') for @others[2 .. 4];
	put_file(place('abcd' . '0' x 28, '.part'), 'x');
	($status, $sums, $lines) = check();
	is $status, 1, 'others';
	is_deeply $lines, [sort 'missing_thumbnail ' . place($picture->{id}, '.thumb'), 'file_without_row  ' . place('abcd' . '0' x 28, '.part'), map { "unknown_file      $_" } "$directory/ab/cd/none", @others[0, 2 .. 4]], 'are said, too';
	is +(stat place('abcd' . '0' x 28, '.part'))[7], 1, 'nothing is changed';
	unlink $directory . '/README', "$directory/ab/cd/none", @others[2 .. 4], place('abcd' . '0' x 28, '.part');
	spew(place($picture->{id}, '.thumb'), 'x');
	is +(check())[0], 0, 'all is well again';
};

subtest 'check beside uploads' => sub {
	my $pid = fork // die $!;
	if ($pid == 0) {
		my $http = $t->http('alice');
		for my $n (1 .. 100) {
			my $m = $http->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => $n)->json;
			$http->delete("/media/$m->{id}");
		}
		require POSIX;
		POSIX::_exit(0);
	}
	my ($checks, $faults) = (0, 0);
	until (waitpid $pid, POSIX::WNOHANG()) {
		my ($status, $out) = $node->ctl('media', 'check');
		$faults += $status != 0 and diag($out);
		$checks++;
	}
	is $?, 0, 'files come and go';
	cmp_ok $checks, '>', 1, 'and are checked meanwhile';
	is $faults, 0, 'of which none is said to be wrong';
};

subtest 'gc' => sub {
	wait_for('what was deleted to go', sub { $dbh->selectrow_array('SELECT COUNT(*) FROM media_idle') == 3 });
	my $bytes = $text->{size} + 100;
	is $node->ctl_ok('media', 'gc'), "0 files, 0 bytes, are due: a relay deletes them within seconds\n2 files, $bytes bytes, are looked at later: no message shows them yet\n", 'nothing is due';
	is_deeply $node->ctl_ok('--json', 'media', 'gc'), {files => [], due => {files => 0, bytes => 0}, later => {files => 2, bytes => $bytes}}, 'as JSON';
	ok -e place($text->{id}), 'nothing is deleted';
	my $out = $node->ctl_ok('media', 'gc', '--now');
	like $out, qr/^$text->{id}  \S+Z  ready     $text->{size}$/m, 'a file that no message shows is due now';
	like $out, qr/^$begun  \S+Z  uploading 100$/m, 'and so is an upload';
	unlike $out, qr/^$picture->{id}/m, 'but none that a message shows';
	like $out, qr/^2 files, $bytes bytes, are due/m, 'in all';
	wait_for('them to go', sub { !-e place($text->{id}) && !-e place($begun, '.part') });
	wait_for('their rows to go', sub { !$dbh->selectrow_array('SELECT COUNT(*) FROM media WHERE id <> ?', undef, $picture->{id}) });
	ok -e place($picture->{id}), 'one that a message shows stays';
	# More than a page, while no relay deletes any.
	$node->stop;
	$dbh->do("INSERT INTO media (id, owner_id, state, size, name, content_type, created_at) SELECT CONCAT('f', LPAD(LOWER(HEX(seq)), 31, '0')), 'alice', 1, 10, 'x', 'text/plain', UTC_TIMESTAMP(3) FROM seq_1_to_1200");
	$dbh->do("INSERT INTO media_idle (media_id, due_at) SELECT id, UTC_TIMESTAMP(3) + INTERVAL 1 HOUR FROM media WHERE name = 'x'");
	$dbh->do("INSERT INTO media_uses (media_id, message_id) SELECT id, 5 FROM media WHERE name = 'x' LIMIT 100");
	my $json = $node->ctl_ok('--json', 'media', 'gc', '--now');
	is_deeply [@$json{qw(due later)}, scalar @{$json->{files}}], [{files => 1100, bytes => 11_000}, {files => 0, bytes => 0}, 1100], 'pages of them';
	is $dbh->selectrow_array('SELECT COUNT(*) FROM media_idle WHERE due_at <= UTC_TIMESTAMP(3)'), 1100, 'are due';
	is_deeply $node->ctl_ok('--json', 'media', 'gc')->{due}, {files => 1100, bytes => 11_000}, 'and said to be so';
	$node->start;
};

subtest 'without a directory' => sub {
	my $conf = {%{$node->{conf}}};
	$node->stop;
	delete $conf->{media};
	$node->configure($conf);
	my ($status, undef, $err) = $node->ctl('media', 'check');
	is_deeply [$status, $err], [1, "tidingsctl: there are no files here: media.directory is empty\n"], 'there is nothing to check';
	is $node->ctl_ok('--json', 'media', 'show', $picture->{id})->{path}, undef, 'what the database has of a file is shown';
};

$t->stop;
done_testing;
