//! AppSpec files modelled on those of seventeen public repositories.
//!
//! Agents run samples 1 to 8. Sample 9 fails at Install; 10 and 11 are for instances, but are named
//! `appspec.yaml`; 12 to 16 are for Lambda and ECS; 17 is a template that misspells an event.

use super::*;

/// A description, the name of the file, the files of the bundle, the findings, and the text of the file.
struct Sample {
    name: &'static str,
    file: &'static str,
    files: &'static [&'static str],
    found: &'static [&'static str],
    text: &'static str,
}

macro_rules! samples {
    ($($name:literal, $file:literal, $files:expr, $found:expr => $text:literal;)*) => {
        const SAMPLES: &[Sample] = &[$(Sample {
            name: $name,
            file: $file,
            files: &$files,
            found: &$found,
            text: $text,
        }),*];
    };
}

samples! {
    "1: web page on Linux, scripts as root with timeouts", "appspec.yml",
        ["index.html", "scripts/install_dependencies", "scripts/start_server", "scripts/stop_server"], [] =>
        "version: 0.0\nos: linux\nfiles:\n  - source: /index.html\n    destination: /var/www/html/\n\
         hooks:\n  BeforeInstall:\n    - location: scripts/install_dependencies\n      timeout: 300\n      \
         runas: root\n    - location: scripts/start_server\n      timeout: 300\n      runas: root\n  \
         ApplicationStop:\n    - location: scripts/stop_server\n      timeout: 300\n      runas: root\n";
    "2: web page on Windows, backslashes", "appspec.yml", ["index.html", "before-install.bat"], [] =>
        "version: 0.0\nos: windows\nfiles:\n  - source: \\index.html\n    \
         destination: c:\\inetpub\\wwwroot\nhooks:\n  BeforeInstall:\n    \
         - location: \\before-install.bat\n      timeout: 900\n";
    "3: Chef, directories to several places", "appspec.yml", [
        "chef/solo.rb", "target/hello.war", "deploy_hooks/stop-solo.sh", "deploy_hooks/install-chef.sh",
        "deploy_hooks/chef-solo.sh", "deploy_hooks/verify_service.sh",
    ], [] =>
        "version: 0.0\nos: linux\nfiles:\n  - source: chef/\n    destination: /etc/chef/codedeploy\n  \
         - source: target/hello.war\n    destination: /var/lib/tomcat6/webapps\nhooks:\n  \
         ApplicationStop:\n    - location: deploy_hooks/stop-solo.sh\n      timeout: 3600\n  \
         AfterInstall:\n    - location: deploy_hooks/install-chef.sh\n      timeout: 1800\n      \
         runas: root\n  ApplicationStart:\n    - location: deploy_hooks/chef-solo.sh\n      \
         timeout: 3600\n  ValidateService:\n    - location: deploy_hooks/verify_service.sh\n      \
         timeout: 600\n";
    "4: Salt, scripts only after Install", "appspec.yml",
        ["salt/top.sls", "deploy_hooks/install-salt.sh", "deploy_hooks/run-salt.sh"], [] =>
        "version: 0.0\nos: linux\nfiles:\n  - source: salt\n    destination: /srv/salt\nhooks:\n  \
         AfterInstall:\n    - location: deploy_hooks/install-salt.sh\n      timeout: 300\n      \
         runas: root\n  ApplicationStart:\n    - location: deploy_hooks/run-salt.sh\n      \
         timeout: 300\n";
    "5: load balancer, without timeout and runas", "appspec.yml",
        ["deregister_from_elb.sh", "register_with_elb.sh"], [] =>
        "# Around traffic events.\nversion: 0.0\nos: linux\nhooks:\n  ApplicationStop:\n    \
         - location: deregister_from_elb.sh\n  ApplicationStart:\n    \
         - location: register_with_elb.sh\n";
    "6: a custom event, on Windows", "appspec.yml",
        ["scripts/before_install.bat", "scripts/custom_event.bat"], ["unknown-hook@6:3"] =>
        "version: 0.0\nos: windows\nhooks:\n  BeforeInstall:\n    - location: scripts/before_install.bat\n  \
         CustomEvent:\n    - location: scripts/custom_event.bat\n";
    "7: RETAIN, no files, all nine events", "appspec.yml", ["s/a.sh"], [] =>
        "version: 0.0\nos: linux\nfile_exists_behavior: RETAIN\nhooks:\n  BeforeBlockTraffic:\n    \
         - location: s/a.sh\n  AfterBlockTraffic:\n    - location: s/a.sh\n  ApplicationStop:\n    \
         - location: s/a.sh\n  BeforeInstall:\n    - location: s/a.sh\n  AfterInstall:\n    \
         - location: s/a.sh\n  ApplicationStart:\n    - location: s/a.sh\n  BeforeAllowTraffic:\n    \
         - location: s/a.sh\n  AfterAllowTraffic:\n    - location: s/a.sh\n  ValidateService:\n    \
         - location: s/a.sh\n";
    "8: Flask, an unknown key", "appspec.yml", ["app.py", "scripts/after_install.sh"], ["unknown-key@6:5"] =>
        "version: 0.0\nos: linux\nfiles:\n  - source: /\n    destination: /home/ec2-user/app\n    \
         overwrite: true\npermissions:\n  - object: /home/ec2-user/app\n    owner: ec2-user\n    \
         group: ec2-user\nhooks:\n  AfterInstall:\n    - location: scripts/after_install.sh\n      \
         runas: ec2-user\n";
    "9: everything, with a wildcard", "appspec.yml",
        ["index.php", "scripts/restart.sh"], ["wildcard-source@4:13"] =>
        "version: 0.0\nos: linux\nfiles:\n  - source: /*\n    destination: /var/www/html/dvwa\nhooks:\n  \
         AfterInstall:\n    - location: scripts/restart.sh\n      timeout: 300\n      runas: root\n";
    "10: workflow server, in appspec.yaml", "appspec.yaml", ["api/run", "deploy.sh"], [] =>
        "version: 0.0\nos: linux\nfiles:\n  - source: api\n    destination: /opt/api\n    \nhooks:\n  \
         AfterInstall:\n    - location: deploy.sh\n      timeout: 300\n";
    "11: Beanstalk neighbour, in appspec.yaml", "appspec.yaml", ["index.js", "start.sh"], [] =>
        "version: 0.0\nos: linux\nfiles:\n- source: /\n  destination: /srv/node\nhooks:\n  \
         ApplicationStart:\n  - location: start.sh\n    runas: root\n";
    "12: Lambda, in appspec.yml", "appspec.yml", [], [] =>
        "version: 0.0\nResources:\n  - inbound:\n      Type: AWS::Lambda::Function\n      Properties:\n        \
         Name: \"inbound\"\n        Alias: \"production\"\n        CurrentVersion: \"1\"\n        \
         TargetVersion: \"2\"\n";
    "13: Lambda, JSON", "appspec.json", [], [] =>
        "{\n  \"version\": 0.0,\n  \"Resources\": [{\n    \"fn\": {\n      \
         \"Type\": \"AWS::Lambda::Function\",\n      \
         \"Properties\": {\"Name\": \"fn\", \"Alias\": \"live\", \"CurrentVersion\": \"3\", \"TargetVersion\": \"4\"}\n    \
         }\n  }]\n}\n";
    "14: Lambda, a placeholder in place of an event", "appspec.yaml", [], ["unknown-hook@11:5"] =>
        "version: 0.0\nResources:\n  - helloworld:\n      Type: AWS::Lambda::Function\n      Properties:\n        \
         Name: helloworld\n        Alias: live\n        CurrentVersion: \"1\"\n        \
         TargetVersion: \"2\"\nHooks:\n  - LifeCycleEvent: \"check\"\n";
    "15: ECS, a placeholder in place of the task", "appspec.yaml", [], [] =>
        "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        \
         TaskDefinition: <TASK_DEFINITION>\n        LoadBalancerInfo:\n          \
         ContainerName: \"web\"\n          ContainerPort: 80\n";
    "16: ECS, JSON without version, the port a text", "appspec.json",
        [], ["resource-version@2:3", "property@7:71"] =>
        "{\n  \"Resources\": [{\n    \"TargetService\": {\n      \"Type\": \"AWS::ECS::Service\",\n      \
         \"Properties\": {\n        \"TaskDefinition\": \"<TASK_DEFINITION>\",\n        \
         \"LoadBalancerInfo\": {\"ContainerName\": \"web\", \"ContainerPort\": \"3000\"}\n      }\n    \
         }\n  }]\n}\n";
    "17: a misspelled event", "appspec.yml.tpl",
        ["server/main", "scripts/prepare.sh"], ["unknown-hook@7:3"] =>
        "version: 0.0\nos: linux\nfiles:\n  - source: server\n    destination: /opt/server\nhooks:\n  \
         Before Install:\n    - location: scripts/prepare.sh\n      timeout: 60\n";
}

#[test]
fn each_sample_has_exactly_the_expected_findings() {
    for Sample {
        name,
        file,
        files,
        found: expected,
        text,
    } in SAMPLES
    {
        let bundle = Fake::of(files);
        let report = lint(Path::new(file), text.as_bytes(), None, Some(&bundle));
        assert_eq!(found(&report), *expected, "{name}: {:#?}", report.findings);
        // An agent or CodeDeploy deploys all samples but this one.
        assert_eq!(report.has_errors(), name.starts_with("9:"), "{name}");
    }
}

#[test]
fn for_instances_samples_for_lambda_and_ecs_have_one_finding_platform() {
    for Sample {
        name, files, text, ..
    } in SAMPLES
    {
        let number: usize = name.split(':').next().unwrap().parse().unwrap();
        let report = instances(text, &Fake::of(files));
        let is_other = (12..=16).contains(&number);
        let rules = Vec::from_iter(report.findings.iter().map(|finding| finding.rule));
        assert_eq!(rules.contains(&Rule::Platform), is_other, "{name}");
        assert_eq!(rules == [Rule::Platform], is_other, "{name}");
    }
}

#[test]
fn missing_and_wrong_properties_of_lambda_and_ecs_are_found() {
    let of = |text: &str| found(&alone("appspec.yaml", text, Some(Kind::Resources)));
    let head = "version: 0.0\nresources:\n  - x:\n      type: ";
    assert_eq!(of("version: 0.0\nResources: []\n"), ["resource@2:12"]);
    assert_eq!(of("version: 0.0\nResources:\n  x: y\n"), ["resource@3:3"]);
    assert_eq!(
        of("version: 0.0\nResources:\n  - Type: AWS::ECS::Service\n    x:\n"),
        ["resource@3:5"]
    );
    assert_eq!(
        of(&format!("{head}AWS::Lambda::Funktion\n")),
        ["resource@4:13"]
    );
    assert_eq!(
        of(&format!("{head}AWS::Lambda::Function\n")),
        ["no-property@4:7"]
    );
    assert_eq!(
        of(&format!(
            "{head}AWS::Lambda::Function\n      properties:\n        name: f\n        alias:\n        \
             currentVersion: $LATEST\n        targetversion: 0\n        nmae: x\n"
        )),
        [
            "no-property@7:15",
            "property@8:25",
            "property@9:24",
            "unknown-key@10:9"
        ]
    );
    assert_eq!(
        of(&format!(
            "{head}AWS::ECS::Service\n      properties:\n        loadBalancerInfo:\n          \
             containerPort: 70000\n        networkConfiguration:\n          awsvpcConfiguration:\n            \
             subnets: [a]\nhooks:\n  - AfterAllowTestTrafic: f\n  - BeforeInstall:\n  - x\n"
        )),
        [
            "no-property@6:9",
            "no-property@7:11",
            "property@7:26",
            "property@10:13",
            "unknown-hook@12:5",
            "property@13:19",
            "property@14:5",
        ]
    );
}
