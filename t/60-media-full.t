# SPDX-License-Identifier: BSD-2-Clause
# Proves what a full disk does to uploads: 507, nothing is half-kept, the space comes back, and all else goes on.
use Tidings;
use Compress::Zlib qw(compress crc32);

my $directory = Tidings::dir() . '/media';
mkdir $directory or die "$directory: $!\n";
plan skip_all => 'a small file system cannot be mounted here' if system("mount -t tmpfs -o size=4m none '$directory' 2>/dev/null") != 0;
# Also where the test dies; the processes that have it as their own go first.
END { local $?; system("umount -l '$directory' 2>/dev/null") if defined $directory }
my $t = Tidings->start(workers => 2, conf => {media => {directory => $directory}, limits => {requests_per_second => 0}});
$t->befriend(qw(alice bob));
my ($alice, $bob) = map { $t->api($_) } qw(alice bob);
my $bytes = join '', map { pack 'N', $_ * 2654435761 } 1 .. 600_000;
my @tus = ('Tus-Resumable', '1.0.0');

sub upload { my ($http) = @_; return $http->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => $bytes) }
sub chunk { my ($type, $data) = @_; return pack('N', length $data) . $type . $data . pack('N', crc32($type . $data)) }
# A picture that cannot be compressed.
sub noise {
	my ($w, $h) = @_;
	srand 1;
	my $rows = join '', map { "\0" . join '', map { chr int rand 256 } 1 .. 3 * $w } 1 .. $h;
	return "\x89PNG\r\n\x1a\n" . chunk(IHDR => pack('NNCCCCC', $w, $h, 8, 2, 0, 0, 0)) . chunk(IDAT => compress($rows)) . chunk(IEND => '');
}
sub used { my $used = 0; $used += -s $_ for glob "$directory/*/*/*"; return $used }

# It fits, but not what is made of it.
my $picture = noise(950, 950);
my $r = $alice->request('POST', '/media?name=x.png', headers => ['Content-Type', 'image/png'], body => $picture);
is_deeply [$r->status, $r->json->{code}], [507, 'no_space'], 'a picture whose copy has no room is not taken for a damaged one' or diag($r->body);
wait_for('its space to come back', sub { used() == 0 });
$r = $alice->request('POST', '/media?name=x.png', headers => ['Content-Type', 'image/png'], body => substr noise(50, 50), 0, 5000);
is_deeply [$r->status, $r->json->{code}], [400, 'invalid_argument'], 'a damaged one is one where there is room';

my $first = upload($alice);
is $first->status, 201, 'one file has room';
for my $round (1 .. 3) {
	my $r = upload($bob);
	is_deeply [$r->status, $r->json->{code}], [507, 'no_space'], "$round: another has not";
	wait_for('the space to come back', sub { used() == length $bytes });
}
my $path = $bob->request('POST', '/media', headers => [@tus, 'Upload-Length', length $bytes])->header('location');
$r = $bob->request('PATCH', $path, headers => [@tus, 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', 0], body => $bytes);
is_deeply [$r->status, $r->json->{code}], [507, 'no_space'], 'by tus neither';
wait_for('the space to come back', sub { used() == length $bytes });
is $bob->request('HEAD', $path, headers => \@tus)->status, 404, 'and nothing is half-kept';
is $bob->get('/messages/conversations')->status, 200, 'others go on';
$t->send_text('alice', 'bob', 'messages, too');
is length $t->http(undef)->get($first->json->{url})->body, length $bytes, 'the first file is as it was';
$alice->delete('/media/' . $first->json->{id});
wait_for('its space to come back', sub { used() == 0 });
is upload($bob)->status, 201, 'then the next has room';
$t->stop;
done_testing;
