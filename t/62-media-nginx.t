# SPDX-License-Identifier: BSD-2-Clause
# Proves that the configuration of nginx in doc/operations.md does what is said there of it: nginx checks signatures as the
# server makes them, keeps files, gives them to whoever has a signature and to nobody else, in ranges too, and lets go of
# what is deleted.
use Tidings;
use Tidings::HTTP;
use Tidings::Pack qw(png);
use Tidings::Util qw(free_port run slurp spawn spew);
use Digest::MD5 qw(md5_base64);
use IO::Socket::SSL ();

my ($nginx) = grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin';
plan skip_all => 'nginx is not installed' if !$nginx;

my $dir = Tidings::dir();
my $directory = "$dir/media";
my $port = free_port();
mkdir $_ or die "$_: $!\n" for $directory, "$dir/cache";
my $secret = 'a secret of the URLs of files, 32 bytes or more';
my $t = Tidings->start(workers => 1, nodes => 2, conf => {limits => {requests_per_second => 0}, http => {cors_origins => ['https://chat.example.org']},
	media => {directory => $directory, url_secret_file => spew("$dir/media-secret", "$secret\n", 0600), base_url => "https://media.example.org:$port"}});
$t->befriend(qw(alice bob));
my $alice = $t->api('alice');

# The configuration itself, with the places of this test.
my ($conf) = slurp(Tidings::top() . '/doc/operations.md') =~ /^```nginx\n(.*?)^```$/ms;
my ($make_secret) = slurp(Tidings::top() . '/doc/operations.md') =~ /^```sh\n(\(umask 077; printf 'secure_link_md5 .*)$/m;
ok $conf && $make_secret, 'doc/operations.md has the configuration' or BAIL_OUT('it has not');
my ($status, $out, $err) = run($dir, qw(openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=media.example.org -keyout), "$dir/media.key", '-out', "$dir/media.pem");
is $status, 0, 'a certificate' or diag($err);
my $changes = 0;
$changes += $conf =~ s{/var/cache/nginx/tidings}{$dir/cache};
$changes += $conf =~ s{/var/log/nginx/}{$dir/};
$changes += $conf =~ s{listen 443 }{listen 127.0.0.1:$port };
$changes += $conf =~ s{/etc/nginx/media\.example\.org\.}{$dir/media.}g;
$changes += $conf =~ s{/etc/nginx/(?=tidings-media-secret)}{$dir/};
$changes += $conf =~ s{10\.0\.0\.1$_:8080}{$t->node($_ - 1)->address}e for 1, 2;
$changes += $conf =~ s{10m;}{2s;};
is $changes, 9, 'it is as this test knows it';
$changes = $make_secret =~ s{/etc/(?:tidings|nginx)/}{$dir/}g;
is $changes, 2, 'as is the command for the secret';
($status, $out, $err) = run($dir, 'sh', '-c', $make_secret);
is_deeply [$status, $err], [0, ''], 'which works';
my $temps = join '', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi);
spew("$dir/nginx.conf", "daemon off;\nworker_processes 2;\npid $dir/nginx.pid;\nerror_log $dir/nginx-error.log;\n" . ($> == 0 ? "user root;\n" : '') . "events {}\nhttp {\n$temps$conf}\n");
my $pid = spawn(log => "$dir/nginx.log", cmd => [$nginx, '-e', "$dir/nginx-error.log", '-c', "$dir/nginx.conf"]);
wait_for("nginx", sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or kill(0, $pid) ? 0 : die(slurp("$dir/nginx.log") . slurp("$dir/nginx-error.log")) });

# One request: status, headers by name in lower case, body.
sub ask {
	my ($url, %o) = @_;
	my ($path) = $url =~ m{\Ahttps://media\.example\.org:$port(/.*)\z}s or die "not there: $url";
	my $s = IO::Socket::SSL->new(PeerAddr => "127.0.0.1:$port", SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_PEER(), SSL_ca_file => "$dir/media.pem", SSL_verifycn_scheme => 'none', SSL_hostname => 'media.example.org') or die "$!, $IO::Socket::SSL::SSL_ERROR";
	print {$s} join "\r\n", ($o{method} // 'GET') . " $path HTTP/1.1", "Host: media.example.org:$port", 'Connection: close', @{$o{headers} // []}, '', '';
	local $/;
	my ($head, $body) = split /\r\n\r\n/, scalar(<$s>), 2;
	my ($code) = $head =~ m{\AHTTP/1\.1 (\d+)};
	return ($code, {map { /\A([^:]+): (.*)\z/ ? (lc $1 => $2) : () } split /\r\n/, $head}, $body);
}
sub log_lines { return split /^/, slurp("$dir/tidings-media.log") }
# How nginx came by its last answer.
sub asked { return map { my $n = $_; wait_for('a line', sub { log_lines() >= $n }); (split ' ', (log_lines())[$n - 1])[-1] } @_ }
sub upload { my ($name, $type, $bytes) = @_; return $alice->request('POST', "/media?name=$name", headers => ['Content-Type', $type], body => $bytes)->json }
sub signed { my ($id, $time, $purpose, $key) = @_; return md5_base64("$time $id $purpose $key") =~ tr{+/}{-_}r }

my $big = join '', map { "line $_ of a large file\n" } 1 .. 120_000;
my ($picture, $text, $empty) = (upload('a%20cat%E7%8C%AB.png', 'image/png', png(1)), upload('big.txt', 'text/plain', $big), upload('empty', 'text/plain', ''));

subtest 'a file' => sub {
	like $picture->{url}, qr{\Ahttps://media\.example\.org:$port/media/$picture->{id}/a%20cat%E7%8C%AB\.png\?e=\d+&s=[\w-]{22}\z}, 'its URL';
	my ($code, $headers, $body) = ask($picture->{url});
	is $code, 200, 'is served' or diag($body);
	is length $body, $picture->{size}, 'whole';
	is $headers->{$_->[0]}, $_->[1], $_->[0] for ['content-type', 'image/png'], ['cache-control', 'private, max-age=31536000, immutable'], ['x-content-type-options', 'nosniff'], ['accept-ranges', 'bytes'], ['access-control-allow-origin', 'https://chat.example.org'];
	like $headers->{'content-disposition'}, qr/\Ainline; filename\*=UTF-8''a%20cat%E7%8C%AB\.png\z/, 'its name';
	is $headers->{'x-request-id'}, undef, 'nothing of the request that fetched it';
	is_deeply [asked(1)], ['MISS'], 'fetched';
	my ($again, $same, $from_cache) = ask($picture->{url});
	is_deeply [$again, $from_cache eq $body], [200, 1], 'once more';
	is_deeply [asked(2)], ['HIT'], 'from the cache';
	# Other URLs of the same file: another time, another name.
	my $e = time + 5000;
	($code, undef, $body) = ask("https://media.example.org:$port/media/$picture->{id}/other?e=$e&s=" . signed($picture->{id}, $e, 'get', $secret));
	is $code, 200, 'another signature of it';
	is_deeply [asked(3)], ['HIT'], 'has the same copy';
	is +(ask($picture->{url}, headers => ["If-None-Match: $headers->{etag}"]))[0], 304, 'who has it is told so';
	($code, $headers, $body) = ask($picture->{url}, method => 'HEAD');
	is_deeply [$code, $headers->{'content-length'}, $body], [200, $picture->{size}, ''], 'HEAD';
	($code, $headers, $body) = ask($picture->{thumbnail_url});
	is_deeply [$code, $headers->{'content-type'}], [200, 'image/webp'], 'its thumbnail';
	($code, undef, $body) = ask($empty->{url});
	is_deeply [$code, $body], [200, ''], 'an empty file';
	unlike slurp("$dir/tidings-media.log"), qr/[?&]s=/, 'the log has no signatures';
};

subtest 'signatures' => sub {
	my ($path, $e, $s) = $picture->{url} =~ /\A(.*)\?e=(\d+)&s=([\w-]{22})\z/ or die $picture->{url};
	my $lines = log_lines();
	my $past = time - 5;
	for (['none', $path], ['another', "$path?e=$e&s=" . ($s =~ tr/A-Za-z0-9/B-ZAb-za1-90/r)], ['for another time', "$path?e=" . ($e + 1) . "&s=$s"], ['of another file', $path =~ s/$picture->{id}/$text->{id}/r . "?e=$e&s=$s"],
		['that has expired', "$path?e=$past&s=" . signed($picture->{id}, $past, 'get', $secret)], ['for uploading', "$path?e=$e&s=" . signed($picture->{id}, $e, 'put', $secret)], ['with another secret', "$path?e=$e&s=" . signed($picture->{id}, $e, 'get', "$secret.")]) {
		my ($code, undef, $body) = ask($_->[1], headers => ['Authorization: Bearer ' . $t->token('alice')]);
		is $code, 401, "a signature: $_->[0]";
		unlike $body, qr/PNG/, 'shows nothing';
	}
	is_deeply [grep { $_ ne '-' } asked($lines + 1 .. $lines + 7)], [], 'and asks nobody';
	is +(ask("$path?e=$e&s=$s", method => $_))[0], 403, "$_ is not allowed" for qw(PUT POST DELETE);
	is +(ask("https://media.example.org:$port$_?e=$e&s=$s"))[0], 404, "$_ is not there" for '/', '/messages/unread-count', "/media/$picture->{id}/info/x", "/media/$picture->{id}";
};

subtest 'ranges' => sub {
	my $size = length $big;
	for (['0-9', 0, 10], ['1048570-1048585', 1_048_570, 16], ["@{[$size - 7]}-", $size - 7, 7], ['-5', $size - 5, 5], ['100000-2200000', 100_000, 2_100_001]) {
		my ($range, $from, $bytes) = @$_;
		my ($code, $headers, $body) = ask($text->{url}, headers => ["Range: bytes=$range"]);
		is_deeply [$code, $headers->{'content-range'}], [206, sprintf 'bytes %d-%d/%d', $from, $from + $bytes - 1, $size], $range;
		ok $body eq substr($big, $from, $bytes), 'these bytes';
	}
	is +(ask($text->{url}, headers => ["Range: bytes=$size-"]))[0], 416, 'behind its end';
	my ($code, $headers, $body) = ask($text->{url});
	ok $code == 200 && $body eq $big, 'all of it';
};

subtest 'a node and a file that are gone' => sub {
	# What is in the cache needs no node; what was kept for long enough is only asked for.
	my $lines = log_lines();
	wait_for('it to be asked for', sub { ask($picture->{url}); my ($how) = asked($lines += 1); $how eq 'REVALIDATED' });
	pass 'what has not changed is not fetched anew';
	$t->node(0)->stop;
	my $m = upload_at(1, 'late.txt', 'late');
	is +(ask($m->{url}))[2], 'late', 'another node is asked';
	is $t->http('alice', node => 1)->delete("/media/$m->{id}")->status, 204, 'a file is deleted';
	wait_for('it to be gone', sub { my ($code) = ask($m->{url}); $code == 404 });
	pass 'and is not shown any more';
	$t->node(0)->start;
};

sub upload_at { my ($node, $name, $bytes) = @_; return $t->http('alice', node => $node)->request('POST', "/media?name=$name", headers => ['Content-Type', 'text/plain'], body => $bytes)->json }

is slurp("$dir/nginx-error.log") =~ s/^.*\[(?:warn|notice)\].*\n//gmr =~ s/^.*(?:connect\(\) failed|client prematurely|access forbidden).*\n//gmr, '', 'nginx has nothing to complain of';
kill 'QUIT', $pid;
waitpid $pid, 0;
$t->stop;
done_testing;
