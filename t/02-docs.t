# SPDX-License-Identifier: BSD-2-Clause
# Proves that what is written down agrees with the program: the sample configuration and its manual page are the ones
# that the option table makes, every key is in them with its default, the sample itself is a good configuration, and
# no path of somebody's machine is in the tree.
use Tidings;
use Tidings::Util qw(run slurp spew);

my $top = Tidings::top();
my $dir = Tidings::dir();
my $conf_doc = Tidings::Server::program('conf_doc');

for (['sample', 'conf/tidings.conf'], ['man', 'doc/tidings.conf.5']) {
	my ($what, $file) = @$_;
	my ($status, $out, $err) = run($dir, $conf_doc, $what);
	is $status, 0, "conf_doc $what" or diag($err);
	ok $out eq slurp("$top/$file"), "$file is what the option table says (make docs)";
}

# The keys that operators rely on, with their defaults.
my %keys = (
	'' => {user => '', run_dir => '/run/tidings', workers => 0, worker_connections => 16384, node_id => '', listen => '127.0.0.1:8080', proxy_protocol => 'false',
		trusted_proxies => '127.0.0.1/32', drain_timeout => 30, accounts => 'true'},
	log => {level => 'info', format => 'text', target => 'stderr', access => ''},
	admin => {listen => '127.0.0.1:8081'},
	tls => {listen => '', certificate => '', key => ''},
	mysql => {host => '127.0.0.1', port => 3306, socket => '', user => 'tidings', password => '', password_file => '', database => 'tidings', connections => 4},
	redis => {host => '127.0.0.1', port => 6379, socket => '', password => '', password_file => '', prefix => 'tidings:'},
	jwt => {algorithm => 'HS256', secret_file => '', public_key_file => '', jwks_file => '', issuer => '', audience => '', user_claim => 'sub', leeway => 30, lifetime => 3600},
	http => {prefix => '', max_body => 65536, header_timeout => 10, body_timeout => 30, keepalive_timeout => 75, cors_origins => '', docroot => ''},
	websocket => {max_message => 65536, ping_interval => 30, idle_timeout => 75, send_queue => 262144, compression => 'false'},
	message => {recall_window => 120, max_content => 16384},
	session => {policy => 'multi', max => 8, presence => 'true'},
	limits => {sends_per_second => 50, burst => 200, requests_per_second => 50, requests_burst => 500, logins_per_minute => 30},
);

my (%sample, $section);
$section = '';
for my $line (split /\n/, slurp("$top/conf/tidings.conf")) {
	$line =~ s/^\s*#?\s*//;
	if ($line =~ /^(\w+)\s*\{$/ && $keys{$1}) { $section = $1 }
	elsif ($line =~ /^\}/) { $section = '' }
	elsif ($line =~ /^(\w+)\s*=\s*(.*?)\s*$/) {
		my ($key, $value) = ($1, $2);
		$value =~ s/[{}"]//g;
		$sample{$section}{$key} //= $value;
	}
}
my $man = slurp("$top/doc/tidings.conf.5");
for my $s (sort keys %keys) {
	for my $key (sort keys %{$keys{$s}}) {
		is $sample{$s}{$key}, $keys{$s}{$key}, 'the sample has ' . ($s ? "$s." : '') . "$key with its default";
		like $man, qr/\b$key\b/, 'and the manual page has it';
	}
}

my $secret = spew("$dir/secret", 'x' x 40, 0600);
my $used = slurp("$top/conf/tidings.conf");
my ($status, $out, $err) = run($dir, Tidings::Server::program('tidingsd'), '-t', '-c', spew("$dir/sample.conf", "$used\njwt { secret_file = \"$secret\" }\n"));
is $status, 0, 'the sample is a good configuration' or diag($out . $err);

# Of tracked files where git knows them, otherwise of all.
my ($git, $list) = run($dir, 'git', '-C', $top, 'ls-files');
my @files = $git == 0 ? split /\n/, $list : glob "$top/{README*,HACKING*,ChangeLog,src/*/*,t/*,doc/*,contrib/*}";
my @personal;
for my $file (@files) {
	my $path = $git == 0 ? "$top/$file" : $file;
	next if !-f $path;
	push @personal, "$file: $1" if slurp($path) =~ m{((?:/home/\w+|/(?:work|Users|root)/)\S*)};
}
is_deeply \@personal, [], 'no path of somebody\'s machine';

done_testing;
