# SPDX-License-Identifier: BSD-2-Clause
# Proves that complete files are kept in S3 where it is configured: uploads of each kind, places to put files that pass by the server,
# redirects to signed URLs, what becomes of uploads while it is away, and that files go there, too. The service is s3rver, of npm.
use Tidings;
use Tidings::Pack qw(png);
use Tidings::Util qw(spew free_port spawn);
use Digest::SHA qw(hmac_sha256 sha256_hex);

my $top = Tidings::top();
plan skip_all => 'no s3rver (npm ci in t/s3)' if !-e "$top/t/s3/node_modules/s3rver";
my $dir = Tidings::dir();
my ($directory, $objects, $port) = ("$dir/media", "$dir/s3", free_port());
mkdir $_ or die "$_: $!\n" for $directory, $objects;
spew("$dir/s3-key", "S3RVER\n", 0600);

my $service;
sub start_service {
	$service = spawn(log => "$dir/s3.log", cmd => ['node', "$top/t/s3/server.js", $port, $objects, 'files']);
	return wait_for('the service', sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") });
}
sub stop_service { kill 'KILL', $service; waitpid $service, 0; undef $service; return }
END { local $?; kill 'KILL', $service if $service }
start_service();

my %media = (directory => $directory, url_lifetime => 600, s3 => {endpoint => "http://127.0.0.1:$port", bucket => 'files', access_key => 'S3RVER', secret_key_file => "$dir/s3-key"});
my $t = Tidings->start(workers => 2, conf => {media => \%media, limits => {requests_per_second => 0}});
$t->befriend(qw(alice bob));
my ($alice, $bob) = map { $t->api($_) } qw(alice bob);
my $anyone = $t->http(undef);
my $text = join '', map { "line $_\n" } 1 .. 50_000;
my @tus = ('Tus-Resumable', '1.0.0');

sub upload { my ($http, $name, $type, $bytes) = @_; return $http->request('POST', "/media?name=$name", headers => ['Content-Type', $type], body => $bytes) }
sub keys_of { my ($id) = @_; my %keys = map { m{/([^/]+)\._S3rver_object\z} ? ($1 => 1) : () } glob "$objects/files/$id*"; return [sort keys %keys] }
sub here { return scalar(() = glob "$directory/*/*/*") }
# That which a URL has, and that which it has to have: Signature Version 4 as the S3 API reference explains it.
sub signatures {
	my ($method, $url, $secret) = @_;
	my ($host, $path, $query, $signature) = $url =~ m{\Ahttps?://([^/]+)(/[^?]*)\?(.*)&X-Amz-Signature=([0-9a-f]+)\z} or die "$url\n";
	my ($time) = $query =~ /X-Amz-Date=(\w+)/;
	my ($scope) = $query =~ /X-Amz-Credential=[^%]+%2F([^&]+)/;
	$scope =~ s/%2F/\//g;
	my $key = "AWS4$secret";
	$key = hmac_sha256($_, $key) for split m{/}, $scope;
	my $canonical = join "\n", $method, $path, join('&', sort split /&/, $query), "host:$host", '', 'host', 'UNSIGNED-PAYLOAD';
	return ($signature, unpack 'H*', hmac_sha256(join("\n", 'AWS4-HMAC-SHA256', $time, $scope, sha256_hex($canonical)), $key));
}
# The example of the reference.
is_deeply [signatures('GET', 'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')],
	[('aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404') x 2], 'this test can sign';
# What curl gets by a URL, also of the service.
sub fetch { my ($url, @options) = @_; $url = 'http://' . $t->node->address . $url if $url =~ m{\A/}; open my $curl, '-|', 'curl', '-s', '-L', @options, $url or die "curl: $!\n"; local $/; return scalar <$curl> }

my $m = upload($alice, 'a%20cat.png', 'image/png', png(1))->json;
is_deeply keys_of($m->{id}), [$m->{id}, "$m->{id}.thumb"], 'a file and its thumbnail are in the bucket';
wait_for('nothing to be left here', sub { here() == 0 });
my $r = $anyone->get($m->{url});
is $r->status, 302, 'its URL leads there';
like $r->header('location'), qr{\Ahttp://127\.0\.0\.1:$port/files/$m->{id}\?X-Amz-Algorithm=AWS4-HMAC-SHA256&.*&X-Amz-Expires=600&}, 'by a URL that is signed';
like $r->header('cache-control'), qr/\Aprivate, max-age=300\z/, 'and may be kept for half as long as that';
is length(fetch($m->{url})), $m->{size}, 'the picture is there';
my $head = fetch($m->{url}, '-D', '-', '-o', '/dev/null');
like $head, $_->[0], "with its $_->[1]" for [qr/^content-type: image\/png\r$/im, 'type'], [qr/^content-disposition: inline; filename\*=UTF-8''a%20cat\.png\r$/im, 'name'];
like fetch($m->{thumbnail_url}, '-o', '/dev/null', '-w', '%{content_type}'), qr{\Aimage/webp\z}, 'and its thumbnail';
my ($has, $wants) = signatures('GET', $r->header('location'), 'S3RVER');
is $has, $wants, 'and signed as S3 wants it';
is $anyone->get($m->{url} =~ s{s=(.)}{"s=" . ($1 eq "-" ? "A" : "-")}er)->status, 401, 'by this server, too';

my $path = $alice->request('POST', '/media', headers => [@tus, 'Upload-Length', length $text])->header('location');
is $alice->request('PATCH', $path, headers => [@tus, 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', 0], body => substr $text, 0, 1000)->status, 204, 'by tus';
stop_service();
is $alice->request('PATCH', $path, headers => [@tus, 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', 1000], body => substr $text, 1000)->status, 503, 'while the service is away nothing is complete';
is upload($alice, 'x', 'text/plain', 'x')->status, 503, 'in one request neither';
start_service();
is $alice->request('HEAD', $path, headers => \@tus)->header('upload-offset'), length $text, 'once it is back';
$m = $alice->get("$path/info")->json;
is fetch($m->{url}), $text, 'it is';

$r = $alice->post('/media', {name => 'put.txt', size => length $text, content_type => 'text/plain'})->json;
my ($id, $place) = ($r->{id}, $r->{upload});
like $place->{url}, qr{\Ahttp://127\.0\.0\.1:$port/files/}, 'a place passes by this server';
($has, $wants) = signatures('PUT', $place->{url}, 'S3RVER');
is $has, $wants, 'and is signed as S3 wants it';
is $alice->post("/media/$id/complete")->status, 409, 'nothing is there yet';
spew("$dir/body", "$text!");
my @put = ('-X', $place->{method}, map({ ('-H', "$_: $place->{headers}{$_}") } sort keys %{$place->{headers}}), '-o', '/dev/null', '-w', '%{http_code}');
is fetch($place->{url}, @put, '--data-binary', "\@$dir/body"), 200, 'too much';
is $alice->post("/media/$id/complete")->status, 409, 'is not what was announced';
spew("$dir/body", $text);
is fetch($place->{url}, @put, '--data-binary', "\@$dir/body"), 200, 'the file';
$m = $alice->post("/media/$id/complete")->json;
is_deeply [@$m{qw(id name size)}], [$id, 'put.txt', length $text], 'is complete';
is fetch($m->{url}), $text, 'and there';
spew("$dir/body", 'x' x length $text);
fetch($place->{url}, @put, '--data-binary', "\@$dir/body");
is fetch($m->{url}), $text, 'it cannot be changed any more';

my $message = $alice->post('/messages/send', {to_user_id => 'bob', message_type => 'file', media_url => "tidings:media/$id"})->json;
is fetch($bob->get("/messages/$message->{id}")->json->{media_url}), $text, 'who sees a message with it can fetch it';
$alice->put("/messages/$message->{id}/recall");
wait_for('it to go', sub { !@{keys_of($id)} });
wait_for('all that was here to go', sub { here() == 0 });
is fetch($m->{url}, '-o', '/dev/null', '-w', '%{http_code}'), 404, 'with the message it goes';
$t->stop;
done_testing;
